"""Addresses within the page, the ranges that bars link to, and where marks of charts stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.analysis.accumulate import Distribution
from evalharness.core.dialogue import Unit
from evalharness.core.scores import Column
from evalharness.report.html.geometry import Axis, bar_length, bin_range, interval_marks, sparks
from evalharness.report.html.links import dialogue_link, encode_id, filter_link
from evalharness.stats.estimate import Estimate, undefined


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("parcel-7", "parcel-7"),
        ("a/b?c#d&e=f", "a%2Fb%3Fc%23d%26e%3Df"),
        ("~", "%7E"),
        ("\ud800x", "~D800x"),
        ("é🙂", "%C3%A9%F0%9F%99%82"),
        ("\u202e<\"'>", "%E2%80%AE%3C%22%27%3E"),
    ],
)
def test_ids_are_one_safe_segment(name: str, written: str):
    assert encode_id(name) == written


@given(st.text(), st.text())
def test_different_ids_have_different_addresses(one: str, other: str):
    assert (encode_id(one) == encode_id(other)) == (one == other)
    assert set(encode_id(one)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~%")


def test_links():
    assert dialogue_link("a/b") == "#a%2Fb/"
    assert dialogue_link("a", 3) == "#a/3"
    assert filter_link(c=2, s="failed", why=None, system="v 1") == "#?c=2&s=failed&system=v%201"


def _column(
    low: float | None, high: float | None, levels: tuple[str, ...] = (), nominal: bool = False
) -> Column:
    return Column("s", "c", Unit.TURN, "sig", low=low, high=high, levels=levels, nominal=nominal)


COLUMNS = [
    _column(1.0, 5.0, ("1", "2", "3", "4", "5")),
    _column(0.0, 1.0, ("no", "yes")),
    _column(0.0, 1.0),
    _column(0.0, 100.0),
    _column(None, None),
    _column(0.0, None),
]


@pytest.mark.parametrize("column", COLUMNS)
@given(values=st.lists(st.integers(-40, 440).map(lambda n: n / 80), max_size=60))
def test_the_ranges_of_bars_hold_exactly_what_the_bars_count(column: Column, values: list[float]):
    distribution = Distribution(column)
    for value in values:
        distribution.add(value)
    bins = distribution.bins()
    for place, part in enumerate(bins):
        within = bin_range(column, bins, place)
        assert within is not None
        inside = [
            v
            for v in values
            if (within.ge is None or v >= within.ge) and (within.lt is None or v < within.lt)
        ]
        assert len(inside) == part.count


def test_nominal_bars_have_no_range():
    distribution = Distribution(_column(None, None, ("a", "b"), nominal=True))
    distribution.add("a")
    assert bin_range(_column(None, None, ("a", "b"), nominal=True), distribution.bins(), 0) is None


def _estimate(value: float, low: float | None, high: float | None) -> Estimate:
    return Estimate(value, None, low, high, 0.95, "m", 3, 3, None)


def test_marks_stand_on_the_scale():
    column = Column("s", "c", Unit.TURN, "sig", low=0.0, high=1.0, passes=">=0.5", higher_is_better=True)
    marks = interval_marks(Axis(0.0, 1.0), _estimate(0.5, 0.0, 1.0), column, (0.25, 2.0))
    assert marks is not None
    assert (marks.low, marks.mean, marks.high, marks.threshold) == (4.0, 70.0, 136.0, 70.0)
    assert marks.bounds == (37.0, 136.0)
    assert interval_marks(Axis(0.0, 1.0), undefined("nothing"), column) is None
    assert interval_marks(None, _estimate(0.5, None, None), column) is None


def test_bars_can_be_seen_and_none_is_invented():
    assert bar_length(0, 10) == 0.0
    assert bar_length(1, 100_000) == 1.5
    assert bar_length(10, 10) == 200.0
    assert sparks(()) == ()
    distribution = Distribution(_column(0.0, 1.0))
    assert sparks(distribution.bins()) == ()
