"""Slices against the rest: the figures of the direct formula, whatever lies in which cluster."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from evalharness.analysis.slices import MOST_VALUES, FacetCounts, SliceSums, adjusted, facets_of
from evalharness.core.dialogue import Unit
from evalharness.core.scores import Column
from evalharness.stats.clustered import cr1_standard_error

COLUMN = Column("j", "help", Unit.TURN, "sig", rubric="r", low=1, high=5, higher_is_better=True, judged=True)


def sums(rows: list[tuple[str, str, float]], column: Column = COLUMN) -> SliceSums:
    found = SliceSums(column)
    for cluster, lang, value in rows:
        found.add(cluster, (("lang", lang),), value)
    return found


def drawn(seed: int, *, mixed: bool) -> list[tuple[str, str, float]]:
    """Clusters of one to four values; where ``mixed``, a cluster's values lie in both slices."""
    draw = random.Random(seed)
    rows = []
    for cluster in range(40):
        level, own = draw.gauss(3, 0.6), draw.choice(["de", "en"])
        for _ in range(draw.randint(1, 4)):
            lang = draw.choice(["de", "en"]) if mixed else own
            rows.append((f"c{cluster:02d}", lang, level + draw.gauss(0, 0.5) - 0.4 * (lang == "de")))
    return rows


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_difference_and_error_are_those_of_the_influence_values(seed: int, mixed: bool) -> None:
    rows = drawn(seed, mixed=mixed)
    inside = np.array([lang == "de" for _, lang, _ in rows])
    values = np.array([value for *_, value in rows])
    influence = np.where(
        inside,
        (values - values[inside].mean()) / inside.mean(),
        -(values - values[~inside].mean()) / (~inside).mean(),
    )
    se, _ = cr1_standard_error(influence, [cluster for cluster, *_ in rows])
    row = next(row for row in sums(rows).rows() if row.value == "de")
    assert row.difference.value == pytest.approx(values[inside].mean() - values[~inside].mean())
    assert row.difference.se == pytest.approx(se)
    assert row.mean == pytest.approx(values[inside].mean())
    assert row.scored == inside.sum()


def test_both_slices_of_two_have_opposite_differences() -> None:
    first, second = sums(drawn(1, mixed=True)).rows()
    assert first.difference.value == pytest.approx(-(second.difference.value or 0))
    assert first.difference.se == pytest.approx(second.difference.se)


def test_a_slice_of_few_groups_has_no_interval_and_no_test() -> None:
    rows = [(f"c{i}", "de" if i < 3 else "en", float(i % 4)) for i in range(30)]
    few = next(row for row in sums(rows).rows() if row.value == "de")
    assert few.difference.low is None
    assert few.p is None
    assert "fewer than 5 groups" in few.difference.method


def test_equal_values_make_no_test() -> None:
    rows = [(f"c{i}", "de" if i % 2 else "en", 3.0) for i in range(30)]
    assert all(row.p is None and row.difference.value == 0 for row in sums(rows).rows())


def test_only_slices_that_are_worse_are_called_worse() -> None:
    bad = [(f"c{i:02d}", "de" if i % 2 else "en", 2.0 + (i % 3) - (i % 2)) for i in range(60)]
    rows = adjusted(sums(bad).rows())
    assert [(row.value, row.worse) for row in rows] == [("de", True), ("en", False)]
    turned = adjusted(sums(bad, replace(COLUMN, higher_is_better=False)).rows())
    assert [(row.value, row.worse) for row in turned] == [("de", False), ("en", True)]


def test_keys_that_slice() -> None:
    counts = FacetCounts()
    for i in range(60):
        counts.add(
            {"lang": "de" if i % 2 else "en", "user": f"u{i}", "one": 1, "flag": i % 3 == 0, "deep": {"a": 1}}
        )
    assert counts.keys() == ("flag", "lang")
    assert dict(facets_of({"n": 3, "t": True, "long": "x" * 99, "none": None})) == {"n": "3", "t": "true"}
    assert MOST_VALUES < 60
