import csv
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.length_controlled import length_controlled_win_rate
from tests.research import research_file


def pairs(n: int, quality: float, pull: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Verdicts on a candidate that is longer by half a deviation, from a judge pulled by length."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n // 4), 4)
    gap = rng.normal(0.5, 1, n)
    eta = quality + pull * np.tanh(gap / gap.std()) + rng.normal(0, 0.8, n // 4)[groups]
    return (rng.random(n) < 1 / (1 + np.exp(-eta))).astype(float), gap, groups


def test_equal_quality_is_even_once_length_is_out() -> None:
    y, gap, groups = pairs(8000, 0.0, 1.5, 1)
    result = length_controlled_win_rate(y, gap, groups)
    assert result.raw.low > 0.55
    assert result.controlled.low < 0.5 < result.controlled.high
    assert result.length_effect.low > 1.0


def test_a_judge_that_ignores_length_is_not_changed() -> None:
    y, gap, groups = pairs(8000, 0.6, 0.0, 2)
    result = length_controlled_win_rate(y, gap, groups)
    assert result.controlled.value == pytest.approx(result.raw.value, abs=0.01)
    assert result.length_effect.low < 0 < result.length_effect.high


def test_unit_of_length_does_not_matter() -> None:
    y, gap, groups = pairs(400, 0.2, 1.0, 3)
    one, other = length_controlled_win_rate(y, gap, groups), length_controlled_win_rate(y, gap * 37, groups)
    assert one.controlled.value == pytest.approx(other.controlled.value)
    assert one.controlled.low == pytest.approx(other.controlled.low)


def test_swapping_systems_mirrors() -> None:
    y, gap, groups = pairs(400, 0.2, 1.0, 4)
    one, other = length_controlled_win_rate(y, gap, groups), length_controlled_win_rate(1 - y, -gap, groups)
    assert one.controlled.value == pytest.approx(1 - other.controlled.value)
    assert one.controlled.low == pytest.approx(1 - other.controlled.high)


def test_without_length_differences_there_is_nothing_to_control() -> None:
    result = length_controlled_win_rate([1, 0, 1, 1], [3, 3, 3, 3])
    assert result.raw.value == 0.75
    assert result.controlled.undefined == "the length difference does not vary"
    assert length_controlled_win_rate([], []).raw.undefined


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from([0, -15, -30, 1, 2, 7, 1000, 1001]), st.integers(0, 6)),
        max_size=10,
    )
)
def test_any_lengths_give_an_error_or_a_reason(rows: list[tuple[int, int, int]]) -> None:
    y, gap, groups = ([row[k] for row in rows] for k in range(3))
    result = length_controlled_win_rate(np.array(y) / 4, gap, groups)
    for found in (result.controlled, result.length_effect):
        assert found.undefined or found.se is not None or found.groups == 1


def test_lengths_that_always_differ_by_much_the_same_are_nothing_to_control() -> None:
    result = length_controlled_win_rate([1, 0, 1, 1, 0], [1000, 1001, 1000, 1001, 1001])
    assert result.controlled.undefined == "the length difference hardly varies beside its own size"


def test_error_counts_coefficients_and_outcomes() -> None:
    """The interval covers; the standard error of the predictions' mean, which AlpacaEval prints, is far too small."""
    covered, published = 0, []
    truth = 1 / (1 + np.exp(-0.3))
    rng = np.random.default_rng(5)
    for _ in range(200):
        gap = rng.normal(0.5, 1, 150)
        p = 1 / (1 + np.exp(-(0.3 + np.tanh(gap / gap.std()))))
        result = length_controlled_win_rate((rng.random(150) < p).astype(float), gap)
        covered += result.controlled.low <= truth <= result.controlled.high
        published.append(np.std(np.full(150, result.controlled.value)) / np.sqrt(150))
    assert 0.91 <= covered / 200 <= 0.985
    assert max(published) < 1e-12


def test_alpacaeval_recorded_preferences() -> None:
    """The published 4.100426815 with standard error .630472141, and 32 wins to 770 losses."""
    rows = json.loads(research_file("alpacaeval/ppo-human.weighted.json").read_text())
    y = np.array([row["preference"] for row in rows]) - 1
    gap = np.array([row["len_2"] - row["len_1"] for row in rows], dtype=float)
    result = length_controlled_win_rate(y, gap)
    assert 100 * result.raw.value == pytest.approx(4.100426815, abs=5e-10)
    assert 100 * result.raw.se == pytest.approx(0.630472141, abs=5e-10)
    assert (int(np.sum(y > 0.5)), int(np.sum(y < 0.5)), int(np.sum(y == 0.5))) == (32, 770, 3)
    discrete = length_controlled_win_rate(np.where(y == 0.5, 0.5, y > 0.5), gap)
    assert 100 * discrete.raw.value == pytest.approx(4.161490683, abs=5e-10)
    assert result.controlled.value > result.raw.value  # its answers are far shorter than the baseline's


@pytest.mark.parametrize(
    ("model", "raw"),
    [
        ("NullModel", 76.92),
        ("gpt-3.5-turbo-1106_concise", 7.42),
        ("gpt-3.5-turbo-1106", 9.18),
        ("gpt-3.5-turbo-1106_verbose", 12.76),
    ],
)
def test_alpacaeval_leaderboard(model: str, raw: float) -> None:
    with research_file("alpacaeval/compact_preferences.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["model"] == model]
    y = np.array([float(row["preference"]) for row in rows]) - 1
    gap = np.array([float(row["len_model"]) - float(row["len_baseline"]) for row in rows])
    assert 100 * length_controlled_win_rate(y, gap).raw.value == pytest.approx(raw, abs=0.005)
