import numpy as np
import pytest

from evalharness.stats.soft_pairwise import soft_pairwise_accuracy

HUMAN, METRIC = [[1, 2, 3], [2, 3, 4]], [[2, 2, 4], [1, 3, 5]]


def test_mt_metrics_eval_with_its_signs() -> None:
    """pce.py: 1000 patterns of rounded float32 uniforms, generator seed 4."""
    uniform = np.random.default_rng(4).random(size=(1000, 3), dtype=np.float32)
    assert soft_pairwise_accuracy(METRIC, HUMAN, signs=2.0 * np.rint(uniform) - 1.0).value == pytest.approx(
        0.872
    )


def test_few_segments_are_enumerated() -> None:
    """human p = 8/8, metric p = 7/8."""
    found = soft_pairwise_accuracy(METRIC, HUMAN)
    assert found.value == pytest.approx(0.875)
    assert found.method == "none: 8 sign patterns of 3 groups"
    assert found.low is None


def test_drawn_patterns_approach_the_exact_value() -> None:
    rng = np.random.default_rng(1)
    human = rng.normal(size=(4, 12)) + np.arange(4)[:, None] * 0.3
    metric = human + rng.normal(size=(4, 12))
    exact = soft_pairwise_accuracy(metric, human, draws=4096).value
    assert soft_pairwise_accuracy(metric, human, draws=4000).value == pytest.approx(exact, abs=0.02)
    assert soft_pairwise_accuracy(metric, human) == soft_pairwise_accuracy(metric, human)


def test_own_scores_are_perfect_and_system_order_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    human, metric = rng.normal(size=(5, 8)), rng.normal(size=(5, 8))
    assert soft_pairwise_accuracy(3 * human + 1, human).value == 1.0
    plain = soft_pairwise_accuracy(metric, human).value
    assert soft_pairwise_accuracy(metric[:, ::-1], human[:, ::-1]).value == pytest.approx(plain)


def test_segments_of_a_group_flip_together() -> None:
    rng = np.random.default_rng(3)
    human, metric = rng.normal(size=(3, 12)), rng.normal(size=(3, 12))
    groups = np.repeat(np.arange(6), 2)
    summed = [scores.reshape(3, 6, 2).sum(axis=2) for scores in (metric, human)]
    assert soft_pairwise_accuracy(metric, human, groups).value == pytest.approx(
        soft_pairwise_accuracy(*summed).value
    )


def test_pairs_share_their_segments() -> None:
    human = np.array([[1, 2, 3, np.nan], [2, 3, 4, 9]])
    metric = np.array([[2, 2, 4, 7], [1, 3, 5, 8.0]])
    found = soft_pairwise_accuracy(metric, human)
    assert found.value == pytest.approx(0.875)
    assert found.n == 7


def test_undefined_and_wrong_input() -> None:
    assert (
        soft_pairwise_accuracy([[1.0, 2.0]], [[1.0, 2.0]]).undefined
        == "no two systems have a segment in common"
    )
    nowhere = [[1, np.nan], [np.nan, 2]]
    assert soft_pairwise_accuracy(nowhere, nowhere).value is None
    with pytest.raises(ValueError, match="differ in shape"):
        soft_pairwise_accuracy([[1.0]], [[1.0, 2.0]])
