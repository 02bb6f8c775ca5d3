"""A judge beside people: each planted bias is found, and a judge that rates as people do is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from evalharness.analysis.agreement.joining import ItemKey
from evalharness.analysis.agreement.scales import Scale
from evalharness.audit.people import Beside, halo, measures_of
from evalharness.audit.types import Finding, Measure

N = 120
LEVELS = (1.0, 2.0, 3.0, 4.0, 5.0)


def world(seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quality, length in words, and own replies of N items."""
    rng = np.random.default_rng(seed)
    return rng.normal(3.0, 0.8, N), np.exp(rng.normal(4.0, 0.6, N)), rng.random(N) < 0.5


def made(judge: np.ndarray, people: np.ndarray, criterion: str = "c", *, sign: float = 1.0) -> Beside:
    rng = np.random.default_rng(11)
    _, words, own = world()
    return Beside(
        criterion,
        tuple(ItemKey(f"d{n:03}", 1) for n in range(N)),
        judge,
        people[:, None] + rng.normal(0, 0.3, (N, 3)),
        tuple(f"g{n:03}" for n in range(N)),
        words,
        own,
        Scale(LEVELS, tuple("12345"), 1.0, 5.0),
        4.0,
        sign,
    )


def found(data: Beside) -> dict[str, Measure]:
    return {measure.name: measure for measure in measures_of(data, 0.05)}


def test_a_judge_that_rates_as_people_do_is_left_alone():
    quality, _, _ = world()
    rng = np.random.default_rng(5)
    measures = found(made(quality + rng.normal(0, 0.2, N), quality))
    assert all(measure.finding is not Finding.FLAGGED for measure in measures.values()), measures


def test_leniency_in_points_and_turned_where_lower_is_better():
    quality, _, _ = world()
    measures = found(made(quality + 0.5, quality))
    assert measures["leniency"].estimate.value == pytest.approx(0.5, abs=0.1)
    assert measures["leniency"].words == "more lenient than people"
    assert found(made(quality + 0.5, quality, sign=-1.0))["leniency"].words == "more severe than people"


def test_compression_shows_in_spread_slope_and_commonest_level():
    quality, _, _ = world()
    measures = found(made(3.0 + 0.25 * (quality - 3.0), quality))
    assert measures["spread ratio"].estimate.value == pytest.approx(0.25, abs=0.05)
    assert measures["slope"].estimate.value == pytest.approx(0.25, abs=0.05)
    low, high = measures["slope"].estimate.low, measures["slope"].estimate.high
    assert low < measures["slope"].estimate.value < high
    assert {measures[name].finding for name in ("spread ratio", "slope", "commonest level")} == {
        Finding.FLAGGED
    }


def test_length_and_self_preference_beyond_people_s():
    quality, words, own = world()
    measures = found(made(quality + 0.4 * np.log2(words / words.mean()) + 0.6 * own, quality))
    assert measures["length beyond people's"].estimate.value == pytest.approx(0.4, abs=0.1)
    assert measures["self-preference"].estimate.value == pytest.approx(0.6, abs=0.2)
    assert measures["self-preference"].finding is Finding.FLAGGED
    assert measures["length beyond people's"].finding is Finding.FLAGGED


def test_what_people_see_as_well_is_no_bias():
    quality, words, own = world()
    better = quality + 0.4 * np.log2(words / words.mean()) + 0.6 * own
    measures = found(made(better, better))
    assert measures["self-preference"].finding is not Finding.FLAGGED
    assert measures["length beyond people's"].finding is Finding.OK


def test_halo_is_the_excess_of_correlation_between_criteria():
    rng = np.random.default_rng(2)
    first, second = rng.normal(3, 0.8, N), rng.normal(3, 0.8, N)
    shared = (first + second) / 2
    coloured = [
        made(shared + rng.normal(0, 0.1, N), people, name) for name, people in (("a", first), ("b", second))
    ]
    measure = halo(coloured)
    assert measure is not None
    assert measure.judge > 0.9 and abs(measure.beside) < 0.3
    assert measure.finding is Finding.FLAGGED
    fair = halo([made(first, first, "a"), made(second, second, "b")])
    assert fair is not None and fair.finding is not Finding.FLAGGED
    assert halo([made(first, first)]) is None
