"""Ids and numbers of two small runs are what they were when they were recorded."""

import os
import subprocess
import sys

import numpy as np
import pytest
from record import HERE, KEYS, SUITES, ran, read

# In nats and shares, after 100 steps, where other instructions round otherwise.
CLOSE = {"rtol": 1e-4, "atol": 1e-7}


def check(found, environment, name, *, exactly=None):
    """Compare with the recording, bit by bit where bits follow from the same things."""
    recorded, at = read(HERE, name)
    assert len(recorded) > 400 and recorded["value"].notna().mean() > 0.8
    assert found[KEYS].to_dict("list") == recorded[KEYS].to_dict("list")
    mine, theirs = found["value"].to_numpy(), recorded["value"].to_numpy()
    if environment == at if exactly is None else exactly:
        different = ~((mine == theirs) | (np.isnan(mine) & np.isnan(theirs)))
    else:
        different = ~np.isclose(mine, theirs, equal_nan=True, **CLOSE)
    assert not different.any(), found.assign(recorded=theirs)[different].to_string()


@pytest.mark.parametrize("name", SUITES)
def test_a_recorded_run_has_its_ids_and_numbers(name):
    check(*ran(name), name)


@pytest.mark.long
def test_other_instructions_come_close(tmp_path):
    """The processor's plainest instructions stand in for another environment."""
    plain = {**os.environ, "ATEN_CPU_CAPABILITY": "default"}
    subprocess.run([sys.executable, str(HERE / "record.py"), str(tmp_path)], check=True, env=plain)
    for name in SUITES:
        found, environment = read(tmp_path, name)
        assert environment["capability"] == "DEFAULT"
        check(found, environment, name, exactly=False)
        with pytest.raises(AssertionError):
            check(found, environment, name, exactly=True)
