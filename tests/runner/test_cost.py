"""What stacks are expected to take: from what is known, from what they compute, and all together."""

import dataclasses
import itertools
import time

import pytest

from benchmarks import registry
from runner import cost, plan, speeds
from runner.commands import dry_run
from runner.cost import Known, Work
from runner.records import Record, TrialResult
from runner.run import Options
from runner.speeds import Speeds
from runner.stacks import STACK_SIZE, stacked
from runner.store import FILE, Store
from runner.training.early_stopping import checks
from suites.suite import load, narrow

STREAM, SETS = load("gaussian1d"), load("gaussian1d-dataset")
SPEEDS = Speeds(products=1e10, fused=1e9, eager=1e8, operation=1e-5, example={"gauss-nested": 1e-6})
STEP = Work(products=1_000_000, elementwise=10_000, operations=60)
QUICK = Speeds(1e30, 1e30, 1e30, 0.0, dict.fromkeys(STREAM.tasks, 0.0))


def grid(*names, suite=STREAM, **narrowed):
    found = narrow(suite, architectures=names, **{"tasks": ["gauss-nested"], "seeds": 10} | narrowed)
    return found.model_copy(update={"reference": []})


def stacks(suite, mode="eager", jobs=1, speeds=SPEEDS, known=cost.NOTHING, work=STEP):
    trials = plan.plan(suite, mode)
    return stacked(suite, trials, mode, "cpu", jobs, lambda *_: 100, lambda *_: work, speeds, known)


def test_an_eager_stack_takes_its_operations_once_and_its_elements_for_each_network(monkeypatch):
    monkeypatch.setattr(cost, "_scoring", lambda *_: 0.0)
    (stack,) = stacks(grid("mlp-16x16", budgets=[640_000]))
    drawn = 10 * 640_000 * 1e-6
    assert stack.cost == pytest.approx(drawn + 10_000 * (60 * 1e-5 + 10 * (1e-4 + 1e-4)))


def test_a_compiled_stack_takes_all_its_places_and_a_compilation_unless_programs_are_kept(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(cost, "_scoring", lambda *_: 0.0)
    monkeypatch.setenv("POSTERIOR_BENCH_CACHE", str(tmp_path))
    whole, part = stacks(grid("mlp-16x16", seeds=30), "compiled")[0], stacks(grid("mlp-16x16"), "compiled")[0]
    assert (whole.networks, part.networks, part.places) == (30, 10, STACK_SIZE)
    assert whole.cost - part.cost == pytest.approx(20 * 640_000 * 1e-6)  # only examples to draw
    each = cost.estimated(part, STEP, SPEEDS)
    assert part.cost == pytest.approx(10 * 0.64 + cost.COMPILING + 10_000 * STACK_SIZE * each)
    assert each == pytest.approx(cost.COMPILED_OPERATIONS * 1e-5 / STACK_SIZE + 1e-4 + 1e-5)
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "one.pt2").touch()
    (again,) = stacks(grid("mlp-16x16"), "compiled")
    assert again.cost == pytest.approx(part.cost - cost.COMPILING)


def test_scoring_counts_passes_of_members_and_of_thinned_networks():
    plain, ensemble, thinned = (
        cost.seconds(stacks(grid(name, seeds=1))[0], STEP, dataclasses.replace(QUICK, products=1e10))
        for name in ("mlp-16x16", "mlp-16x16+ensemble(5)", "mlp-16x16+mc-dropout")
    )
    one = plain - 10 * (cost.RECORD + 4_000 * 2 * cost.POINT) - 10_000 * 1e-4
    assert one == pytest.approx(10 * 4_000 * 1e-4 / 3 / 64)
    assert ensemble - plain == pytest.approx(4 * (one + 10_000 * 1e-4))
    samples = registry.architecture("mlp-16x16+mc-dropout").recipe.samples
    assert thinned - plain == pytest.approx((samples - 1) * one)


@pytest.mark.parametrize(
    ("costs", "workers", "expected"),
    [([5, 4, 3], 1, 12), ([5, 4, 3], 2, 7), ([5, 4, 3], 3, 5), ([3, 3, 2, 2, 2], 2, 7), ([], 2, 0)],
)
def test_stacks_go_to_whoever_is_free(costs, workers, expected):
    assert cost.total(costs, workers) == expected


def test_longest_first_is_close_to_the_best_order_and_shortest_first_is_not():
    costs = [9.0, 7.0, 5.0, 4.0, 3.0, 2.0]
    best = min(cost.total(order, 2) for order in itertools.permutations(costs))
    assert cost.total(costs, 2) <= 7 / 6 * best  # Graham 1969, theorem 2: 4/3 - 1/(3 m)
    assert cost.total(costs[::-1], 2) > cost.total(costs, 2)


def test_the_costliest_stacks_come_first_by_what_is_known():
    suite = grid("linear", "mlp-16x16", "mlp-64x64")
    trials = {trial.architecture: trial for trial in plan.plan(suite, "eager")}
    known = Known({cost.step_key(trials["linear"]): 1.0, cost.step_key(trials["mlp-64x64"]): 1e-9})
    made = stacks(suite, known=known)
    assert [stack.architecture for stack in made] == ["linear", "mlp-16x16", "mlp-64x64"]
    assert made[0].cost == pytest.approx(10 * 10_000, rel=1e-3)


# --- what is known ---------------------------------------------------------------------------------------


def stored(path, trials, numbers):
    """A results file with some metrics of each trial at each of its budgets."""
    with Store(path / FILE) as store:
        for trial in trials:
            records = [
                Record(budget, metric, "all", value(budget), 0.0)
                for budget in trial.budgets
                for metric, value in numbers.items()
            ]
            store.add([TrialResult(trial, records)], {})


def known_of(path, tasks=("gauss-nested",)):
    with Store(path / FILE, reading=True) as store:
        return cost.measured(store, tasks)


def test_seconds_of_a_network_step_are_those_of_the_folder(tmp_path):
    suite = grid("mlp-16x16+ensemble(4)", seeds=2, tasks=["gauss-nested", "gauss-separated", "xor-2d"])
    trials = plan.plan(suite, "compiled")
    stored(tmp_path, trials, {"training_seconds": lambda budget: budget / 64 * 4 * 3e-5})
    known = known_of(tmp_path, suite.tasks)
    of = {trial.task: cost.step_key(trial) for trial in trials}
    assert of["gauss-nested"] == of["gauss-separated"] != of["xor-2d"]  # as many inputs and classes
    assert {key: pytest.approx(3e-5) for key in of.values()} == known.steps
    assert not known_of(tmp_path, ["moons-2d"]).steps
    others = plan.plan(grid("mlp-16x16"), "compiled") + plan.plan(grid("mlp-16x16+ensemble(4)"), "eager")
    assert not {cost.step_key(trial) for trial in others} & set(known.steps)


def test_networks_that_stop_early_have_made_twice_the_steps_of_their_best_state(tmp_path):
    suite = grid("mlp-16x16", suite=SETS, budgets=[1_000], seeds=1)
    trials = plan.plan(suite, "eager")
    for best, steps in ((100, 500), (700, 1_400), (2_900, 3_000)):
        folder = tmp_path / str(best)
        folder.mkdir()
        stored(folder, trials, {"training_seconds": lambda _: 6.0, "best_step": lambda _, best=best: best})
        assert list(known_of(folder).steps.values()) == [pytest.approx(6.0 / steps)]


def test_networks_on_sets_are_expected_to_stop_where_those_before_them_did(tmp_path, monkeypatch):
    looks = 8 * len(checks(3_000)) * cost.LOOK
    suite = grid("mlp-16x16+ensemble(2)", suite=SETS, budgets=[100, 1_000], seeds=2)
    trials = plan.plan(suite, "eager")
    took = {"training_seconds": lambda budget: budget / 100, "best_step": lambda _: 700}
    stored(tmp_path, [trial for trial in trials if trial.budgets == (1_000,)], took)
    known = known_of(tmp_path)
    scoring = 4 * (cost.RECORD + 8_000 * cost.POINT)
    now = sum(stack.cost for stack in stacks(suite, known=known, work=Work(), speeds=QUICK))
    # As long as before at the budget that is known, at most the suite's steps at the one that isn't.
    assert now == pytest.approx(looks + 2 * 10 + 2 * 2 * 3_000 * 10 / (2 * 1_400) + scoring)
    monkeypatch.setattr(cost, "LOOK", 0.0)
    longer = stacks(suite.model_copy(update={"steps": 6_000}), known=known, work=Work(), speeds=QUICK)
    assert sum(stack.cost for stack in longer) == pytest.approx(4 * 2 * 6_000 * 10 / (2 * 1_400) + scoring)


def test_fits_of_an_estimator_go_by_budget(tmp_path):
    suite = grid("qda", "lda", suite=SETS, budgets=[100, 1_000], seeds=3)
    trials = plan.plan(suite, "eager")
    took = {"training_seconds": lambda budget: budget / 1_000}
    stored(tmp_path, [trial for trial in trials if trial.architecture == "qda"], took)
    known = known_of(tmp_path)
    assert not known.steps and sorted(known.fits.values()) == [pytest.approx(0.1), pytest.approx(1.0)]
    fits = {stack.architecture: stack.cost for stack in stacks(suite, known=known)}
    scoring = 6 * (cost.RECORD + 8_000 * cost.POINT)
    assert fits["qda"] == pytest.approx(3 * 1.1 + scoring)
    assert fits["lda"] == pytest.approx(6 * cost.FIT + 3 * 1_100 * cost.FITTED_EXAMPLE + scoring)


def test_budgets_above_an_estimators_most_are_skipped():
    most = registry.architecture("gaussian-process").max_budget
    short = stacks(grid("gaussian-process", suite=SETS, budgets=[most], seeds=1))
    (long,) = stacks(grid("gaussian-process", suite=SETS, budgets=[most + 1], seeds=1))
    assert long.cost < 0.1 < cost.FIT < sum(stack.cost for stack in short)


# --- calibration, and what --dry-run says ----------------------------------------------------------------


def test_a_calibration_is_short_and_plausible():
    speeds.calibrated([])  # the first imports the compiler's package
    start = time.process_time()
    found = speeds.calibrated(["gauss-nested", "xor-2d"])
    assert time.process_time() - start < 3
    assert 1e9 < found.products < 1e12 and 1e8 < found.fused < 1e11
    assert 1e7 < found.eager < found.fused and 1e-6 < found.operation < 1e-3
    assert set(found.example) == {"gauss-nested", "xor-2d"}
    assert all(1e-9 < each < 1e-5 for each in found.example.values())


@pytest.fixture
def calibrated(monkeypatch):
    monkeypatch.setattr(speeds, "calibrated", lambda tasks: SPEEDS)


def told(suite, path, mode="eager", jobs=2, **more):
    return dry_run.dry_run(suite, Options(mode, "cpu", jobs, path / "run", **more)).splitlines()


def test_a_dry_run_tells_stacks_steps_and_seconds(tmp_path, calibrated):
    first, _, *lines, last = told(grid("linear", "mlp-64x64", seeds=40), tmp_path, "compiled")
    assert first.startswith("gaussian1d: 80 trials, 0 there already, in ")
    assert lines[0].startswith(
        "  mlp-64x64: 40 trials in 2 stacks, 10 to 30 networks, 10,000 steps, compiled, about "
    )
    assert lines[0].endswith(" s each") and len(lines) == 2
    assert last.startswith("gaussian1d: 80 trials in 4 stacks, expected to take about ")
    assert last.endswith(" on 2 workers, as a short calibration has it")
    assert not list(tmp_path.iterdir())


def test_networks_that_may_stop_early_take_at_most_so_long(tmp_path, calibrated):
    *lines, last = told(grid("mlp-16x16", "qda", suite=SETS, seeds=1, budgets=[1_000]), tmp_path)
    assert any("mlp-16x16: 1 trial, 1 network, 3,000 steps, eager, at most " in line for line in lines)
    assert any("qda: 1 trial, about " in line for line in lines)
    assert " expected to take at most " in last


def test_a_dry_run_goes_by_what_the_folder_knows(tmp_path, calibrated):
    (tmp_path / "run").mkdir()
    few, many = grid("mlp-16x16", seeds=2), grid("mlp-16x16", seeds=4)
    stored(
        tmp_path / "run",
        plan.plan(few, "eager"),
        {"training_seconds": lambda budget: budget / 64 * 1e-3, "information_gap": lambda _: 0.1},
    )
    before = (tmp_path / "run" / FILE).read_bytes()
    first, _, line, last = told(many, tmp_path, jobs=1)
    assert first.startswith("gaussian1d: 4 trials, 2 there already")
    assert line.startswith("  mlp-16x16: 2 trials, 2 networks, 10,000 steps, eager, about 21.")
    assert "as trials in the folder took" in last
    assert told(few, tmp_path)[-1] == "nothing to train"
    assert told(few, tmp_path, jobs=1, fresh=True)[2] == line
    assert (tmp_path / "run" / FILE).read_bytes() == before


def test_more_workers_never_make_it_longer():
    made = [stack.cost for stack in stacks(STREAM, "compiled", work=STEP)]
    totals = [cost.total(made, workers) for workers in (1, 2, 4, 14)]
    assert totals == sorted(totals, reverse=True)
    assert totals[0] == pytest.approx(sum(made)) and totals[-1] == max(made)
