from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.data.item_sampling import FLOOR, draw_at_random, draw_by_stratum, draw_by_weight, inclusion

NAMES = [f"n{i}" for i in range(40)]


def test_random_draws_repeat_and_do_not_depend_on_the_order():
    first = draw_at_random(NAMES, 10, seed=3)
    assert first == draw_at_random(NAMES[::-1], 10, seed=3)
    assert first != draw_at_random(NAMES, 10, seed=4)
    assert set(first.values()) == {0.25}


def test_strata_get_even_shares_and_small_ones_all_they_have():
    strata = {name: "rare" if i < 3 else "common" if i < 20 else "frequent" for i, name in enumerate(NAMES)}
    drawn = draw_by_stratum(strata, 15, seed=1)
    counts = {
        stratum: sum(strata[name] == stratum for name in drawn) for stratum in ("rare", "common", "frequent")
    }
    assert counts == {"rare": 3, "common": 6, "frequent": 6}
    assert {drawn[name] for name in drawn if strata[name] == "rare"} == {1.0}
    assert math.fsum(1 / p for p in drawn.values()) == pytest.approx(len(NAMES))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.integers(1, 60), st.integers(0, 50))
def test_weighted_draws_have_the_size_and_the_chances_they_state(weights: list[float], size: int, seed: int):
    named = {f"n{i}": weight for i, weight in enumerate(weights)}
    chances = inclusion(named, min(size, len(named)))
    assert math.fsum(chances.values()) == pytest.approx(min(size, len(named)))
    assert all(0 < chance <= 1 + 1e-9 for chance in chances.values())
    drawn = draw_by_weight(named, size, seed)
    assert abs(len(drawn) - min(size, len(named))) <= 1
    assert all(chances[name] == chance for name, chance in drawn.items())


def test_heavier_items_are_drawn_more_often_at_the_stated_rate():
    weights = {name: 4.0 if i < 10 else 0.0 for i, name in enumerate(NAMES)}
    runs = 2_000
    seen = [draw_by_weight(weights, 8, seed) for seed in range(runs)]
    chances = inclusion(weights, 8)
    for name in ("n0", "n39"):
        rate = sum(name in drawn for drawn in seen) / runs
        assert rate == pytest.approx(chances[name], abs=0.03)
    assert chances["n39"] > 0
    assert chances["n39"] / chances["n0"] == pytest.approx(FLOOR * 1.0 / 4.0)
