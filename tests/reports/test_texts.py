"""Texts cut to a width, and in an address."""

import pytest

from reports.texts import cut_apart, in_address


@pytest.mark.parametrize("longest", [6, 7, 8, 11, 14])
@pytest.mark.parametrize(
    "names",
    [
        ["rare-class-1d", "rare-class-1d+prior-shift(0.5,0.5)"],
        ["mlp-64x64-tanh", "mlp-64x64-tanh+prior-corrected", "mlp-64x64-ema+prior-corrected", "mlp-64x64"],
        ["gauss-nested+label-noise(0.1)", "gauss-nested+label-noise(0.2)", "gauss-nested"],
        ["a-name-with-1-in-its-midst", "a-name-with-2-in-its-midst", "a-name-with-3-in-its-midst"],
        ["linear", "prior-shifted-and-more"],
    ],
)
def test_names_cut_to_a_width_still_differ(names, longest):
    cut = cut_apart(names, longest)
    assert len(set(cut)) == len(names)
    assert all(len(short) <= longest for short in cut)
    for short, name in zip(cut, names, strict=True):
        assert (short == name) == (len(name) <= longest)


def test_names_are_cut_at_their_ends_unless_two_would_look_the_same():
    names = ["rare-class-1d", "rare-class-1d+prior-shift(0.5,0.5)"]
    assert cut_apart(names, 8) == ["rar…s-1d", "rar…0.5)"]
    assert cut_apart(names, 13) == ["rare-class-1d", "rare-class-1…"]
    assert cut_apart(names[:1] * 2, 8) == ["rare-cl…", "rare-cl…"]


def test_any_text_can_be_a_part_of_an_address():
    assert in_address("mlp(width=8)+sgd & x/y") == "mlp%28width%3D8%29%2Bsgd%20%26%20x%2Fy"
    assert in_address("n\udcff.py:Net") == "n%EF%BF%BD.py%3ANet"  # of a command line that isn't UTF-8
