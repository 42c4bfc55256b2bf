"""The kept coverage of intervals and tests, measured again with fewer repeats and other numbers."""

import numpy as np
import pytest

from reports.coverage import COLUMNS, PLAN, kept, measure

FEWER = {30: 400, 100: 200}  # bootstraps take their time


def test_everything_in_the_plan_is_kept():
    table = kept()
    assert tuple(table.columns) == COLUMNS
    assert [tuple(row) for row in table[["what", "seeds", "repeats"]].to_numpy()] == list(PLAN)


@pytest.mark.parametrize("row", kept().to_dict("records"), ids=lambda row: f"{row['what']}-{row['seeds']}")
def test_kept_coverage_is_found_again(row):
    repeats = 600 if "bootstrap" in row["what"] else 2_000
    repeats = FEWER.get(row["seeds"], repeats)
    again = measure(row["what"], row["seeds"], repeats, stream=1)
    share = row["coverage"]
    error = np.hypot(row["standard_error"], np.sqrt(share * (1 - share) / repeats))
    assert abs(again - share) < 4 * error


def test_what_is_used_covers_what_it_says():
    found = {(row["what"], row["seeds"]): row["coverage"] for row in kept().to_dict("records")}
    assert all(abs(share - 0.95) < 0.01 for (what, _), share in found.items() if what.startswith("Student"))
    assert found["rank intervals of 8 rows, some tied, all at once", 10] >= 0.95
    assert found["no difference called among 8 equal rows", 10] >= 0.95
