import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.rates import upper_rate_bound
from evalharness.stats.risk_coverage import accepted_risk, out_of_bag_risk, risk_coverage, threshold_for_risk

cases = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=1, max_size=60)


def judged(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Confidences whose error rate falls from 50 % to 0."""
    rng = np.random.default_rng(seed)
    confidence = rng.random(n)
    return confidence, (rng.random(n) < 0.5 * (1 - confidence)).astype(float)


def test_small_curve_by_hand() -> None:
    curve = risk_coverage([0.9, 0.8, 0.8, 0.1], [0, 1, 0, 1])
    assert curve.threshold.tolist() == [0.9, 0.8, 0.1]
    assert curve.coverage.tolist() == [0.25, 0.75, 1.0]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 3, 0.5])
    # The tied pair shares its mean loss of 1/2: risks 0, 1/4, 1/3, 1/2.
    assert curve.area == pytest.approx((0 + 0.25 + 1 / 3 + 0.5) / 4)
    assert curve.excess == pytest.approx(curve.area - (0 + 0 + 1 / 3 + 0.5) / 4)


@given(cases, st.randoms())
def test_item_order_does_not_matter(rows: list[tuple[int, int]], random: object) -> None:
    one = risk_coverage([c for c, _ in rows], [e for _, e in rows])
    random.shuffle(rows)
    other = risk_coverage([c for c, _ in rows], [e for _, e in rows])
    assert one.area == pytest.approx(other.area)
    assert one.risk == pytest.approx(other.risk)


@given(cases)
def test_the_ideal_order_has_no_excess(rows: list[tuple[int, int]]) -> None:
    curve = risk_coverage([c for c, _ in rows], [e for _, e in rows])
    assert curve.excess >= -1e-12
    assert curve.risk[-1] == pytest.approx(np.mean([e for _, e in rows]))
    ideal = risk_coverage([-e for _, e in rows], [e for _, e in rows])
    assert ideal.excess == pytest.approx(0.0, abs=1e-12)


def test_threshold_keeps_its_bound() -> None:
    confidence, loss = judged(2000)
    chosen = threshold_for_risk(confidence, loss, 0.1)
    accepted = confidence >= chosen.value
    assert chosen.upper <= 0.1
    assert chosen.upper == pytest.approx(
        upper_rate_bound(int(loss[accepted].sum()), int(accepted.sum()), 0.99)
    )
    assert chosen.coverage == pytest.approx(accepted.mean())
    assert 0.25 < chosen.coverage < 0.4  # accepting a share s risks s / 4: .1 at s = .4, less for the bound


def test_promise_holds_in_repeated_samples() -> None:
    """The true risk (1 - c) / 4 of the chosen threshold exceeds the target in at most about 5 % of samples."""
    broken = 0
    for seed in range(300):
        chosen = threshold_for_risk(*judged(400, seed), 0.1)
        broken += chosen.value is not None and (1 - chosen.value) / 4 > 0.1
    assert broken / 300 <= 0.08


def test_clusters_ask_for_more() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(60), 10)
    bad = rng.random(60) < 0.15
    loss = np.where(bad[groups], rng.random(600) < 0.6, 0.0).astype(float)
    confidence = np.ones(600)
    target = loss.mean() + 0.035
    plain, clustered = (threshold_for_risk(confidence, loss, target, g) for g in (None, groups))
    assert plain.value is not None
    assert clustered.value is None
    assert "no threshold" in clustered.reason


def test_no_threshold_for_few_or_bad_items() -> None:
    assert threshold_for_risk([], [], 0.1).reason == "too few confident items to bound their risk"
    assert threshold_for_risk([0.9] * 5, [0] * 5, 0.5).value is None
    worthless = threshold_for_risk([0.5] * 100, [1] * 100, 0.2)
    assert worthless.value is None
    assert worthless.coverage == 0.0


def test_no_errors_seen_is_not_no_risk() -> None:
    """40 of 40 right allow a promise of 1 - .01^(1/40) = 10.9 %, however many items the 40 groups have."""
    assert threshold_for_risk([1.0] * 40, [0.0] * 40, 0.11).value == 1.0
    assert threshold_for_risk([1.0] * 40, [0.0] * 40, 0.10).value is None
    assert threshold_for_risk([1.0] * 400, [0.0] * 400, 0.10, np.arange(400) % 40).value is None
    assert threshold_for_risk([1.0] * 400, [0.0] * 400, 0.11, np.arange(400) % 40).value == 1.0


def test_out_of_bag_check() -> None:
    confidence, loss = judged(600, 4)
    check = out_of_bag_risk(confidence, loss, 0.15, draws=60)
    assert check == out_of_bag_risk(confidence, loss, 0.15, draws=60)
    assert 0.0 < check.low <= check.risk <= check.high < 0.25
    assert check.risk < 0.15
    assert check.kept > 0.6
    assert 0 < check.coverage < 1
    hopeless = out_of_bag_risk(confidence, np.ones(600), 0.1, draws=5)
    assert (hopeless.risk, hopeless.unusable) == (None, 5)
    assert out_of_bag_risk([], [], 0.1, draws=5).risk is None


def test_risk_at_a_fixed_threshold() -> None:
    confidence, loss = judged(300, 5)
    estimate = accepted_risk(confidence, loss, 0.5)
    assert estimate.value == pytest.approx(loss[confidence >= 0.5].mean())
    assert estimate.low < estimate.value < estimate.high
    assert accepted_risk(confidence, loss, 2.0).undefined
    with pytest.raises(ValueError, match="negative"):
        risk_coverage([0.1], [-1.0])
    assert risk_coverage([], []) is None
