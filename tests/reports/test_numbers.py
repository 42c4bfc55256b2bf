import math

import pytest

from reports import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0123, "0.0123"), (1.0, "1.00"), (0.00012345, "0.000123"), (0.000045, "4.50e-5"), (45.64, "45.6"),
        (999.9, "1,000"), (1234.5, "1,230"), (0.0, "0"), (math.inf, "∞"),
        (math.nan, "\u2013"), (None, "\u2013"), (0.00009999, "0.000100"),
    ],
)  # fmt: skip
def test_number(value, text):
    assert numbers.number(value) == text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1e-9, 3e-9, "< 3e-9"), (3e-9, 3e-9, "< 3e-9"), (4e-9, 3e-9, "4.00e-9"), (0.0, 3e-9, "< 3e-9"),
        (0.0, 0.0, "0"), (0.0, math.nan, "0"), (0.5, math.nan, "0.500"), (math.inf, 0.0, "∞"),
        (math.nan, 1.0, "\u2013"),
    ],
)  # fmt: skip
def test_a_value_that_its_error_swamps_is_shown_as_less_than_the_error(value, error, text):
    assert numbers.bounded(value, error) == text


def test_span_takes_the_digits_that_tell_its_ends_apart():
    assert numbers.span(0.0123, 0.0145) == "0.012\u20130.015"
    assert numbers.span(0.01231, 0.01234) == "0.01231\u20130.01234"
    assert numbers.span(1.0, 1.0) == "" and numbers.span(math.nan, 1.0) == ""


def test_other_texts():
    assert numbers.count(640_000) == "640,000"
    assert numbers.examples(224511.468) == "225,000"
    assert numbers.found(1.4, 2) == "1.4 / 2" and numbers.found(math.nan, math.nan) == "\u2013"
    assert [numbers.seconds(s) for s in (0.42, 12.34, 200, 3720)] == [
        "0.42 s",
        "12.3 s",
        "3 min 20 s",
        "1 h 02 min",
    ]
    assert [numbers.tick(t) for t in (1.0, 0.001, 1e-5)] == ["1", "0.001", "1e-5"]
    assert numbers.percent(0.00272) == "0.27 %"
