"""The committed table against a recomputation of all of it."""

import pytest

from benchmarks import facts, registry

SLOW = "digits-d64", "gauss-shared-d128"  # half a minute together


def test_every_registered_task_is_in_the_table():
    assert list(facts.committed()) == list(registry.TASKS)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.long if name in SLOW else []) for name in registry.TASKS],
)
def test_the_table_is_what_is_computed(name):
    written, computed = facts.committed()[name], facts.facts(registry.task(name))
    assert set(written) == set(computed)
    for key, value in computed.items():
        if isinstance(value, float):
            tolerance = 1e-7 if key in facts.NUMBERS else 0.01 * value + 1e-7
            assert float(written[key]) == pytest.approx(value, abs=tolerance), key
        else:
            assert written[key] == str(value), key


@pytest.mark.parametrize("name", list(registry.TASKS))
def test_integration_errors_are_below_one_percent_or_known(name):
    row = facts.committed()[name]
    for number in facts.NUMBERS:
        share = float(row[f"{number}_error"]) / float(row[number])
        limit = 0.002 if row["evaluation"] in ("quadrature", "enumeration") else 0.015
        assert share < (limit if number != "bayes_error" else 0.02), (number, share)
