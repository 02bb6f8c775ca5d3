import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.sequential import (
    ConfidenceSequence,
    arrival_means,
    asymptotic_sequence,
    best_rho,
    betting_sequence,
    empirical_bernstein_sequence,
    two_arm_units,
)

unit_lists = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60)


def ever_missed(sequence: ConfidenceSequence, mean: float) -> bool:
    return bool(np.any((sequence.low > mean) | (sequence.high < mean)))


def test_asymptotic_boundary_is_the_formula() -> None:
    x = np.random.default_rng(0).normal(size=200)
    sequence = asymptotic_sequence(x, tightest_at=100)
    t, rho2 = 150, best_rho(100, 0.05) ** 2
    width = np.sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * np.log(np.sqrt(t * rho2 + 1) / 0.05))
    assert sequence.centre[149] == pytest.approx(x[:150].mean())
    assert sequence.high[149] - sequence.centre[149] == pytest.approx(x[:150].std(ddof=1) * width)


def test_boundary_is_tightest_where_asked() -> None:
    """Per-root-n width is smallest at about the chosen number of units, against other tunings."""
    t = 400.0

    def width(tuned: int) -> float:
        rho2 = best_rho(tuned, 0.05) ** 2
        return float(np.sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * np.log(np.sqrt(t * rho2 + 1) / 0.05)))

    assert width(400) <= min(width(100), width(200), width(800), width(1600)) * 1.002


def test_early_looks_are_unusable() -> None:
    sequence = asymptotic_sequence(np.arange(30.0), first=20)
    assert sequence.first == 19
    assert np.isinf(sequence.high[:19]).all()
    assert np.isfinite(sequence.high[19:]).all()


def test_far_from_zero_nothing_cancels() -> None:
    x = np.random.default_rng(0).normal(size=50)
    near, far = asymptotic_sequence(x), asymptotic_sequence(x + 1e9)
    assert far.high[-1] - 1e9 == pytest.approx(near.high[-1], abs=1e-5)


@given(unit_lists)
def test_bounded_sequences_only_narrow_and_stay_on_the_scale(units: list[float]) -> None:
    for sequence in (empirical_bernstein_sequence(units), betting_sequence(units, grid=101)):
        assert np.all(np.diff(sequence.low) >= 0)
        assert np.all(np.diff(sequence.high) <= 0)
        assert sequence.low[0] >= 0
        assert sequence.high[0] <= 1


@given(unit_lists, st.sampled_from([empirical_bernstein_sequence, betting_sequence]))
def test_scale_moves_the_bounds(units: list[float], build: object) -> None:
    plain, likert = build(units), build([1 + 4 * u for u in units], low=1, high=5)
    assert likert.low == pytest.approx(1 + 4 * plain.low)
    assert likert.high == pytest.approx(1 + 4 * plain.high)


def test_mirrored_scores_mirror_the_bounds() -> None:
    units = np.random.default_rng(3).random(80)
    one, other = betting_sequence(units), betting_sequence(1 - units)
    assert one.low == pytest.approx(1 - other.high, abs=1e-9)


def test_betting_is_the_tightest() -> None:
    units = (np.random.default_rng(1).random(300) < 0.9).astype(float)
    betting, bernstein = betting_sequence(units), empirical_bernstein_sequence(units)
    assert betting.high[-1] - betting.low[-1] < bernstein.high[-1] - bernstein.low[-1]


def test_groups_arrive_in_order() -> None:
    means = arrival_means([1.0, 3.0, 5.0, 7.0, 9.0], ["z", "a", "z", "m", "a"])
    assert means.tolist() == [3.0, 6.0, 7.0]


def test_decisions_name_the_moment() -> None:
    sequence = empirical_bernstein_sequence(np.ones(400))
    moment = sequence.decided_above(0.5)
    assert sequence.low[moment - 1] > 0.5 >= sequence.low[moment - 2]
    assert sequence.decided_below(0.5) is None


def test_two_arms_estimate_the_difference() -> None:
    rng = np.random.default_rng(9)
    arm = rng.random(20_000) < 0.3
    y = np.where(arm, 0.7, 0.5) + rng.normal(0, 0.2, arm.size)
    units = two_arm_units(y, arm, 0.3)
    assert units.mean() == pytest.approx(0.2, abs=0.02)
    assert units[1:].var() < (np.where(arm, y / 0.3, -y / 0.7)).var()
    with pytest.raises(ValueError, match="share"):
        two_arm_units(y, arm, 1.0)


def test_scores_off_the_scale_are_refused() -> None:
    with pytest.raises(ValueError, match="within"):
        betting_sequence([0.5, 1.5])
    with pytest.raises(ValueError, match="lower end"):
        betting_sequence([0.5], low=1, high=1)


def missed_share(build: object, draw: object, mean: float, runs: int) -> float:
    rng = np.random.default_rng(77)
    return sum(ever_missed(build(draw(rng)), mean) for _ in range(runs)) / runs


def bernoulli(rng: np.random.Generator) -> np.ndarray:
    return (rng.random(400) < 0.8).astype(float)


def test_coverage_holds_at_all_looks_together() -> None:
    assert missed_share(empirical_bernstein_sequence, bernoulli, 0.8, 150) <= 0.05
    assert missed_share(lambda x: betting_sequence(x, grid=201), bernoulli, 0.8, 60) <= 0.1
    assert missed_share(lambda x: asymptotic_sequence(x, first=50), bernoulli, 0.8, 300) <= 0.06


def test_fixed_interval_does_not_survive_looking() -> None:
    """What the sequence is for: a t interval looked at 350 times is wrong at some look in a third of the runs."""

    def looked_at(x: np.ndarray) -> ConfidenceSequence:
        t = np.arange(1, x.size + 1)
        centre = np.cumsum(x) / t
        half = 1.96 * np.sqrt(np.maximum(centre * (1 - centre), 1e-9) / t)
        half[:50] = np.inf
        return ConfidenceSequence(centre, centre - half, centre + half, 0.95, "fixed", 50)

    assert missed_share(looked_at, bernoulli, 0.8, 300) > 0.15


@pytest.mark.slow
def test_coverage_with_many_runs() -> None:
    def skewed(rng: np.random.Generator) -> np.ndarray:
        return rng.beta(5, 1, 1000)

    assert missed_share(lambda x: asymptotic_sequence(x, first=30), skewed, 5 / 6, 3000) <= 0.055
    assert missed_share(lambda x: betting_sequence(x, grid=401), skewed, 5 / 6, 500) <= 0.06
