"""The page's colours: strong enough on their ground, and told apart by colour-blind eyes."""

import math
import re
from collections.abc import Sequence
from itertools import combinations

import pytest

from api.assets import FOLDER

Colour = list[float]
Matrix = Sequence[Sequence[float]]

CSS = (FOLDER / "page.css").read_text(encoding="utf-8")
PAIRS = dict(re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}, #[0-9a-f]{6})\)", CSS))
THEMES = ("light", "dark")

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# IEEE TVCG 15(6), 2009: severity 1.0, on linear RGB.
DEFICIENCIES: dict[str, Matrix] = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ: Matrix = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]


def times(matrix: Matrix, vector: Colour) -> Colour:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def linear(name: str, theme: str) -> Colour:
    """The colour in linear RGB (IEC 61966-2-1)."""
    text = PAIRS[name].split(", ")[THEMES.index(theme)]
    channels = [int(text[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    return [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]


def contrast(one: str, other: str, theme: str) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted(times(TO_XYZ, linear(name, theme))[1] for name in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(colour: Colour) -> Colour:
    """CIE 1976 L*a*b*, D65."""
    xyz = times(TO_XYZ, [min(max(value, 0), 1) for value in colour])
    ratios = [value / white for value, white in zip(xyz, (0.95047, 1.0, 1.08883), strict=True)]
    x, y, z = (math.cbrt(ratio) if ratio > 0.008856 else 7.787 * ratio + 16 / 116 for ratio in ratios)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


@pytest.mark.parametrize("theme", THEMES)
def test_marks_and_edges_have_a_contrast_of_three(theme: str) -> None:
    for name in ("success", "client", "server", "p50", "p90", "p99", "edge"):
        assert contrast(name, "card", theme) >= 3, name


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("deficiency", DEFICIENCIES)
@pytest.mark.parametrize("group", [("success", "client", "server"), ("p50", "p90", "p99")])
def test_colours_of_one_chart_are_told_apart(theme: str, deficiency: str, group: tuple[str, ...]) -> None:
    seen = {name: lab(times(DEFICIENCIES[deficiency], linear(name, theme))) for name in group}
    for one, other in combinations(group, 2):
        assert math.dist(seen[one], seen[other]) >= 20, (one, other)
