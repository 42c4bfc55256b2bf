"""Colours of the page: readable in light and dark, and the same in the drawings and in the style sheet."""

import re
from pathlib import Path

import pytest

from reports import charts
from reports.ranking.contests import SHADE

CSS = (Path(charts.__file__).parent / "static" / "report.css").read_text(encoding="utf-8")
BLOCKS = CSS.split(":root {")[1:3]
LIGHT, DARK = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block)) for block in BLOCKS)


def _luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * sign for sign in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """Contrast ratio of two colours as WCAG 2 defines it."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _mixed(colour, paper, alpha):
    """A colour of some opacity on a paper, both as hex digits."""
    over, under = ([int(_long(hue)[place : place + 2], 16) for place in (1, 3, 5)] for hue in (colour, paper))
    mixed = [round(alpha * one + (1 - alpha) * other) for one, other in zip(over, under, strict=True)]
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _long(colour):
    return colour if len(colour) == 7 else "#" + "".join(2 * sign for sign in colour[1:])


def _tinted(mode, alpha):
    tint = re.search(r"--tint: (\d+), (\d+), (\d+)", BLOCKS[mode is DARK])
    paper = mode["paper"] if len(mode["paper"]) == 7 else "#ffffff"
    under = [int(paper[place : place + 2], 16) for place in (1, 3, 5)]
    mixed = [
        round(alpha * int(part) + (1 - alpha) * base) for part, base in zip(tint.groups(), under, strict=True)
    ]
    return "#" + "".join(f"{part:02x}" for part in mixed)


@pytest.mark.parametrize("mode", [LIGHT, DARK], ids=["light", "dark"])
def test_text_has_a_contrast_of_4_5_and_lines_have_3(mode):
    for name in ("ink", "muted", "accent", "bad"):
        assert contrast(mode[name], mode["paper"]) >= 4.5, name
    assert contrast(mode["ink"], mode["panel"]) >= 4.5
    assert contrast(mode["ink"], _tinted(mode, 0.36)) >= 6  # its small text is at 80 %
    for name in [*(f"h{n}" for n in range(1, 7)), *(f"r{n}" for n in range(1, 6)), "neutral", "strong"]:
        assert contrast(mode[name], mode["paper"]) >= 3, name


@pytest.mark.parametrize("mode", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("hue", ["h1", "h2"])
def test_numbers_in_the_win_matrix_have_a_contrast_of_4_5(mode, hue):
    for alpha in (0, SHADE / 2, SHADE):
        cell = _mixed(mode[hue], mode["paper"], alpha)
        assert contrast(mode["ink"], cell) >= 4.5
        assert alpha > SHADE / 2 or contrast(mode["strong"], cell) >= 3  # not bold: a share nearer to a half


@pytest.mark.parametrize("mode", [LIGHT, DARK], ids=["light", "dark"])
def test_the_ramp_goes_from_faint_to_strong_in_both_modes(mode):
    strengths = [contrast(mode[f"r{n}"], mode["paper"]) for n in range(1, 6)]
    assert strengths == sorted(strengths)


def test_every_colour_of_the_drawings_is_one_that_the_style_sheet_maps():
    named = {f"h{n}": colour for n, colour in enumerate(charts.HUES, 1)}
    named |= {f"r{n}": colour for n, colour in enumerate(charts.RAMP, 1)}
    named |= {"neutral": charts.NEUTRAL}
    assert LIGHT["ink"] == charts.INK
    assert f'svg [fill="{charts.INK}"] {{ fill: var(--ink)' in CSS
    for name, colour in named.items():
        assert LIGHT[name] == colour
        assert f'svg [stroke="{colour}"] {{ stroke: var(--{name})' in CSS
    assert f'svg [stroke="{charts.STRONG}"] {{ stroke: var(--strong)' in CSS
