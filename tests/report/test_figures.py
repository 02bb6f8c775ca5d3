"""Figures as people read them."""

from __future__ import annotations

import pytest

from evalharness.report.figures import interval, number, percent, with_margin
from evalharness.stats.estimate import Estimate


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (3.8, "3.80"), (18.72, "18.7"), (113.6, "114"), (1234.5, "1,234"), (0.4567, "0.457"),
     (-2.5, "−2.50"), (0.00012, "0.000"), (99.96, "100.0")],
)  # fmt: skip
def test_numbers(value: float | None, text: str):
    assert number(value) == text


def test_intervals():
    estimate = Estimate(3.8, 0.09, 3.62, 3.98, 0.95, "m", 10, 5, None)
    assert interval(estimate) == "3.80 [3.62, 3.98]"
    assert with_margin(estimate) == "3.80 ±0.180"
    assert interval(Estimate(3.8, None, None, None, 0.95, "m", 1, 1, None)) == "3.80"
    assert interval(Estimate(None, None, None, None, 0.95, "m", 0, 0, "nothing")) == "–"


@pytest.mark.parametrize(
    ("share", "text"), [(None, "–"), (0, "0 %"), (1, "100 %"), (0.714, "71 %"), (0.025, "2.5 %")]
)
def test_percentages(share: float | None, text: str):
    assert percent(share) == text
