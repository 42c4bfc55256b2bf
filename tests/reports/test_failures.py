from reports.failures import Failure, failures
from reports.trials import trials


def test_failed_skipped_and_infinite_trials_are_grouped_with_their_reasons(results):
    found = {failure.architecture: failure for failure in failures(trials(results.records))}
    assert len(failures(trials(results.records))) == 3
    assert found["fourier-64"] == Failure(
        "fourier-64",
        "gauss-nested",
        "failed",
        "diverged at step 411: loss is nan",
        seeds="3",
        budgets="32,000\u2013640,000",
    )
    infinite = found["resnet-64"]
    assert (infinite.status, infinite.reason, infinite.budgets) == ("infinite", "divergent tail", "640,000")
    skipped = found["oracle-mle"]
    assert (skipped.status, skipped.seeds, skipped.budgets) == ("skipped", "0, 1, 2, 3, 4, 5", "640")
