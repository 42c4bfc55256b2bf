"""An architecture's page in a run of the protocol `dataset`: bias and variance, losses, neighbours."""

import dataclasses

import pandas as pd
import pytest

from reports import numbers
from reports.leaderboard import summarise
from reports.sections.laws import FLOOR, laws
from reports.sections.profiles import compared, everyone, measure_table
from reports.sections.variants import neighbours


@pytest.fixture(scope="module")
def dataset(dataset_results):
    return everyone(dataset_results, summarise(dataset_results))


def test_a_plateau_on_training_sets_is_never_called_optimiser_noise(dataset):
    columns = ("task", "architecture", "exponent", "low", "high", "first", "last", "plateau", "reason")
    row = ("gauss-nested", "mlp-64x64", 0.9, 0.8, 1.0, 100, 1_000, 10_000, "")
    summary = dataclasses.replace(dataset.summary, exponents=pd.DataFrame([row], columns=columns))
    found = laws(dataclasses.replace(dataset, summary=summary), "mlp-64x64")
    assert found[0].words.endswith(f"plateau: {FLOOR}.")


def _lines(table):
    return {line.name: dict(zip(table.columns, line.entries, strict=True)) for line in table.blocks[0].lines}


def test_bias_variance_and_losses_of_one_class_against_the_rest_are_shown(dataset):
    table = _lines(measure_table(dataset, "mlp-64x64"))
    derived = dataset.summary.derived.set_index(["task", "architecture", "budget", "metric"])["value"]
    for task in dataset.tasks:
        bias, variance = (derived[task, "mlp-64x64", 10_000, name] for name in ("bias", "variance"))
        assert table[task]["Bias", "nats"].text == numbers.number(bias)
        assert table[task]["Variance", "nats"].text == numbers.number(variance)
        share = numbers.percent(variance / (bias + variance))
        assert table[task]["Variance", "share"].text == share
        assert table[task]["Calibration loss", "nats"].text == "0.0200"  # _ovr of the task with 3 classes
        assert table[task]["Grouping loss", "nats"].text == "0.0300"


def test_rows_that_differ_by_one_recipe_are_neighbours(dataset_results):
    found = dict(neighbours(dataset_results, "mlp-64x64+lr(0.01)"))
    assert found == {
        "mlp-64x64": "without lr(0.01)",
        "mlp-64x64+lr(0.0001)": "lr(0.0001) instead of lr(0.01)",
        "mlp-64x64+soft-labels": "soft-labels instead of lr(0.01)",
        "mlp-64x64+focal(2)+lr(0.01)": "with focal(2)",
        "mlp-64x64+focal(2)": "focal(2) instead of lr(0.01)",
        "mlp-64x64+temperature": "temperature instead of lr(0.01)",
    }
    assert neighbours(dataset_results, "oracle") == []


def test_a_neighbours_ratio_and_verdict_are_those_of_the_paired_test(dataset):
    pairs = dataset.summary.pairs["gap"]
    pairs = pairs[(pairs["budget"] == 10_000) & (pairs["task"] == "overall")].set_index(["a", "b"])
    for one, other in (
        ("mlp-64x64", "mlp-64x64+lr(0.01)"),
        ("mlp-64x64+lr(0.01)", "mlp-64x64"),
    ):
        row = pairs.loc[("mlp-64x64", "mlp-64x64+lr(0.01)")]
        ends = (row["ratio"], row["low"], row["high"])
        if one == "mlp-64x64":
            ends = (1 / ends[0], 1 / ends[2], 1 / ends[1])
        found = {each.name: each for each in compared(dataset, one)}[other]
        assert found.ratio.text.startswith(numbers.number(ends[0], 2))
        assert found.ratio.small == numbers.span(*ends[1:])
        assert row["better"] == "mlp-64x64"
        assert found.verdict == ("worse" if other.endswith("lr(0.01)") else "better")
