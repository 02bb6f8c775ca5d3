import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evalharness.stats.pairwise_accuracy as module
from evalharness.stats.pairwise_accuracy import (
    calibrate_ties,
    grouped_accuracy,
    kendall_like,
    pairwise_accuracy,
    pairwise_difference_pearson,
    tau_23,
    tie_calibrated_accuracy,
    tie_calibrated_accuracy_pooled,
)
from evalharness.stats.undefined import Cause

N = None
GOLD, METRIC = [1, 2, 2, 3, 4], [2, 1, 1.5, 5, 3]

vectors = st.integers(2, 20).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 5).map(float), min_size=n, max_size=n).map(np.array)] * 2)
)


def long_form(metric: list[list], human: list[list]) -> tuple[list[float], list[float], list[int]]:
    rows = [
        (m, h, g)
        for g, (ms, hs) in enumerate(zip(metric, human, strict=True))
        for m, h in zip(ms, hs, strict=True)
        if m is not None and h is not None
    ]
    return tuple(map(list, zip(*rows, strict=True)))


def test_mt_metrics_eval_accuracies() -> None:
    assert tau_23(METRIC, GOLD).value == pytest.approx(0.2)
    assert pairwise_accuracy(METRIC, GOLD).value == pytest.approx(0.6)
    assert pairwise_accuracy(METRIC, GOLD, epsilon=2).value == pytest.approx(0.4)
    assert calibrate_ties(METRIC, GOLD).accuracy == pytest.approx(0.7)


def test_mt_metrics_eval_counted_by_hand() -> None:
    first, second = [1, 1, 1, 2, 2, 3, 4], [1, 1, 2, 2, 4, 3, 3]
    assert tau_23(first, second).value == pytest.approx((13 + 1 - 2 - 3 - 2) / 21)
    assert tau_23(first, second, epsilon=0.1).value == pytest.approx((13 + 1 - 2 - 3 - 2) / 21)
    assert tau_23(first, second, epsilon=1.0).value == pytest.approx((7 + 3 - 1 - 10 - 0) / 21)


def test_mt_metrics_eval_older_variants() -> None:
    assert kendall_like([2, 1, 4, 3], [10, 11, 100, 150]) == pytest.approx(3 / 5)
    assert kendall_like([2, 1, 4, 3], [10, 11, 100, 150], threshold=1) == pytest.approx(2 / 6)
    assert kendall_like([2, 1], [10, 11]) is None
    agreement = pairwise_accuracy([1, 1, 2, 1, 2], [1, 2, 3, 3, 4])
    assert agreement.value * 10 == pytest.approx(5)


@pytest.mark.parametrize(
    ("human", "accuracies", "epsilon", "best"),
    [
        ([1, 2, 3, 4], [1, 4 / 6, 3 / 6, 1 / 6, 0], 0, 1),
        ([1, 1, 1, 4], [3 / 6, 3 / 6, 4 / 6, 4 / 6, 3 / 6], 4, 4 / 6),
    ],
)
def test_tie_calibration_published(
    human: list[int], accuracies: list[float], epsilon: float, best: float
) -> None:
    found = calibrate_ties([0, 2, 6, 8], human)
    assert found.thresholds.tolist() == [0, 2, 4, 6, 8]
    assert found.accuracies.tolist() == pytest.approx(accuracies)
    assert (found.epsilon, found.accuracy) == (epsilon, pytest.approx(best))


def test_tie_calibration_by_row_with_missing_scores() -> None:
    metric = [[0, 5, 2, 3, 2], [N, 2, 1, 5, 3], [9, 1, 5, 3, 8], [9, 3, 4, 4, 1], [N] * 5]
    human = [[1, 5, 2, 1, 1], [4, 2, 2, 1, 4], [5, 9, 2, 8, 7], [7, 6, N, 3, 2], [N] * 5]
    found = calibrate_ties(*long_form(metric, human))
    assert found.thresholds.tolist() == list(range(9))
    assert found.accuracies.tolist() == pytest.approx(
        [7 / 15, 0.4916667, 0.3833333, 0.2916667, 4 / 15, 0.2, 0.1583333, 0.1583333, 0.1166667], abs=5e-8
    )
    assert found.epsilon == 1
    assert found.accuracy == pytest.approx(0.4916667, abs=5e-8)


def test_pairwise_difference_pearson_published() -> None:
    gold, metric = [1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 3, 7]
    figures = [
        pairwise_difference_pearson(metric, gold, groups).value
        for groups in (None, [0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2])
    ]
    assert figures == pytest.approx([0.776, 0.766, 0.926], abs=5e-4)


def test_pairwise_difference_pearson_sums_all_pairs() -> None:
    rng = np.random.default_rng(1)
    codes = np.repeat([0, 1, 2, 3], [2, 5, 1, 4])
    x, y = rng.normal(size=12), rng.normal(size=12)
    pairs = [(i, j) for i in range(12) for j in range(i) if codes[i] == codes[j]]
    dx, dy = (np.array([v[i] - v[j] for i, j in pairs]) for v in (x, y))
    found = pairwise_difference_pearson(x, y, codes)
    assert found.value == pytest.approx(dx @ dy / np.sqrt(dx @ dx * (dy @ dy)))
    assert found.groups == 4
    assert (
        pairwise_difference_pearson([1, 2], [3, 4], [0, 1]).undefined
        == "one side does not vary within groups"
    )


@settings(max_examples=40)
@given(vectors)
def test_calibrated_accuracy_is_that_of_its_threshold(pair: tuple[np.ndarray, np.ndarray]) -> None:
    metric, human = pair
    found = calibrate_ties(metric, human)
    for threshold, accuracy in zip(found.thresholds, found.accuracies, strict=True):
        assert pairwise_accuracy(metric, human, epsilon=threshold).value == pytest.approx(accuracy)
    assert found.accuracy == pytest.approx(found.accuracies.max())


@settings(max_examples=40)
@given(vectors)
def test_accuracy_is_invariant(pair: tuple[np.ndarray, np.ndarray]) -> None:
    metric, human = pair
    plain = pairwise_accuracy(metric, human).value
    assert pairwise_accuracy(metric[::-1], human[::-1]).value == pytest.approx(plain)
    assert pairwise_accuracy(np.exp(metric), 7 * human + 2).value == pytest.approx(plain)
    assert tau_23(metric, human).value == pytest.approx(2 * plain - 1)


def sample(seed: int, groups: int = 60, size: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(groups), size)
    human = rng.integers(1, 4, codes.size).astype(float)
    return human + rng.normal(scale=0.6, size=codes.size), human, codes


def test_grouped_accuracy_is_the_mean_over_groups() -> None:
    metric, human, codes = sample(1, groups=8)
    found = grouped_accuracy(metric, human, codes, epsilon=0.4)
    by_hand = [pairwise_accuracy(metric[codes == g], human[codes == g], epsilon=0.4).value for g in range(8)]
    assert found.value == pytest.approx(np.mean(by_hand))
    assert found.se == pytest.approx(np.std(by_hand, ddof=1) / np.sqrt(8))
    assert grouped_accuracy([1.0, 2.0], [1.0, 2.0], [0, 1]).undefined == "no group has two items"


def test_grouped_accuracy_without_listing_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    metric, human, codes = sample(2, groups=8)
    listed = grouped_accuracy(metric, human, codes, epsilon=0.4)
    monkeypatch.setattr(module, "PAIR_LIMIT", 10)
    assert grouped_accuracy(metric, human, codes, epsilon=0.4).value == pytest.approx(listed.value)


def test_calibration_on_a_sample_of_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    metric, human, codes = sample(3, groups=200)
    exact = calibrate_ties(metric, human, codes)
    monkeypatch.setattr(module, "CALIBRATION_PAIRS", 2_000)
    sampled = calibrate_ties(metric, human, codes)
    assert sampled.accuracy == pytest.approx(exact.accuracy, abs=0.03)
    assert sampled.epsilon == pytest.approx(exact.epsilon, abs=0.4)


def test_cross_fitting_uses_other_groups_and_is_not_optimistic() -> None:
    """On pure noise the in-sample threshold always finds something; the cross-fitted value does not."""
    optimism = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        codes = np.repeat(np.arange(12), 4)
        found = tie_calibrated_accuracy(
            rng.normal(size=48), rng.integers(0, 3, 48).astype(float), codes, seed=seed
        )
        optimism.append(found.in_sample - found.estimate.value)
        assert len(found.epsilons) == 2
        assert "cross-fitted in 2 folds" in found.estimate.method
    assert np.mean(optimism) > 0.02


def test_cross_fitting_is_seeded_and_needs_groups() -> None:
    metric, human, codes = sample(4)
    assert tie_calibrated_accuracy(metric, human, codes) == tie_calibrated_accuracy(metric, human, codes)
    assert "2 folds need" in tie_calibrated_accuracy(metric[:6], human[:6], codes[:6]).estimate.undefined
    assert "2 folds need" in tie_calibrated_accuracy_pooled(metric[:3], human[:3]).estimate.undefined


def test_pooled_cross_fitting_keeps_groups_whole() -> None:
    metric, human, codes = sample(5)
    found = tie_calibrated_accuracy_pooled(metric, human, codes)
    assert found.estimate.groups == 60
    assert found.in_sample == pytest.approx(found.estimate.value, abs=0.03)
    assert found.estimate.low < found.estimate.value < found.estimate.high


def test_rounding_makes_no_order() -> None:
    assert pairwise_accuracy([0.1 + 0.2, 0.3], [1, 1]).value == 1.0
    assert pairwise_accuracy([1.2, 1.0], [1, 1], epsilon=0.2).value == 1.0
    assert calibrate_ties([0.1 + 0.2, 0.3], [1, 1]).thresholds.tolist() == [0.0]
    assert grouped_accuracy([0.1 + 0.2, 0.3], [1, 1], [0, 0]).value == 1.0


def test_too_few_items() -> None:
    assert pairwise_accuracy([1], [1]).cause is Cause.TOO_FEW
    assert tau_23([], []).cause is Cause.EMPTY
    assert calibrate_ties([1.0], [1.0]) is None
