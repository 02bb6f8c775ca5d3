import json

import numpy as np
import pytest

from evalharness.stats.catalogue import pair_statistic
from evalharness.stats.ceiling import (
    Consensus,
    intra_rater,
    leave_one_out,
    majority,
    pairwise_ceiling,
    rater_mean,
    unanimous,
)
from evalharness.stats.correlation import pearson
from evalharness.stats.rank_correlation import spearman
from tests.research import research_file
from tests.stats.agreement_data import NAN


def panel(seed: int, items: int = 80, raters: int = 4, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=items)
    return truth[:, None] + rng.normal(scale=noise, size=(items, raters)), truth


@pytest.mark.parametrize(
    ("quality", "published"),
    [
        ("Understandable", "0.5102"),
        ("Natural", "0.4871"),
        ("Maintains Context", "0.5599"),
        ("Engaging", "0.5811"),
        ("Uses Knowledge", "0.7090"),
        ("Overall", "0.7183"),
    ],
)
def test_usr_topical_chat(quality: str, published: str) -> None:
    """Mehri & Eskenazi (2020), USR: mean pairwise Spearman between the three annotators."""
    contexts = json.loads(research_file("usr-topical-chat/tc_usr_data.json").read_text())
    ratings = [response[quality] for context in contexts for response in context["responses"]]
    assert f"{pairwise_ceiling(ratings, spearman).estimate.value:.4f}" == published


def test_fed_one_rater_against_the_other_four() -> None:
    ratings = fed_overall()
    assert f"{leave_one_out(ratings, spearman).human.value:.3f}" == "0.468"


def fed_overall() -> np.ndarray:
    dialogues = json.loads(research_file("fed/fed_data.json").read_text())
    rows = [row["annotations"]["Overall"] for row in dialogues if "response" not in row]
    return np.array(rows, dtype=float)


def test_pairwise_is_the_mean_over_pairs() -> None:
    ratings, _ = panel(1, raters=3)
    found = pairwise_ceiling(ratings, pearson)
    values = [np.corrcoef(ratings[:, a], ratings[:, b])[0, 1] for a, b in ((0, 1), (0, 2), (1, 2))]
    assert found.estimate.value == pytest.approx(np.mean(values))
    assert (found.lowest, found.highest) == pytest.approx((min(values), max(values)))
    assert (found.pairs, found.undefined_pairs, found.small_pairs) == (3, 0, 0)


def test_pairs_without_common_items_or_value_are_counted() -> None:
    ratings = np.array([[1, 2, 5, NAN], [2, 2, 5, 1], [3, 4, 5, NAN], [4, 4, 5, NAN]], dtype=float)
    found = pairwise_ceiling(ratings, pearson)
    assert (found.pairs, found.undefined_pairs, found.small_pairs) == (1, 2, 3)


def test_one_rater_is_one_reason() -> None:
    assert pairwise_ceiling([[1], [2], [3]], pearson).estimate.undefined == "a single rater"
    alone = leave_one_out([[1], [2], [3]], pearson, [1, 2, 3])
    assert alone.human.undefined == alone.judge.undefined == "a single rater"
    none = pairwise_ceiling([[1, NAN], [NAN, 2], [3, NAN]], pearson)
    assert none.estimate.undefined.startswith("no item has two ratings")
    flat = pairwise_ceiling(np.ones((5, 2)), pearson)
    assert flat.estimate.undefined == "undefined in every group (every pair of raters)"


def test_leave_one_out_by_hand() -> None:
    ratings, truth = panel(2, raters=3)
    found = leave_one_out(ratings, pearson, truth)
    human = [np.corrcoef(ratings[:, j], np.delete(ratings, j, 1).mean(axis=1))[0, 1] for j in range(3)]
    judge = [np.corrcoef(truth, np.delete(ratings, j, 1).mean(axis=1))[0, 1] for j in range(3)]
    assert found.human.value == pytest.approx(np.mean(human))
    assert found.judge.value == pytest.approx(np.mean(judge))
    assert found.difference.value == pytest.approx(np.mean(judge) - np.mean(human))
    assert (found.raters, found.left_out) == (3, 0)


def test_a_judge_that_is_a_further_rater_stands_at_the_ceiling() -> None:
    """Against the mean of ALL raters it would look better than a human; against equal-sized consensus it does not."""
    gaps, unfair = [], []
    for seed in range(60):
        ratings, truth = panel(seed, items=120)
        judge = truth + np.random.default_rng(1000 + seed).normal(size=120)
        found = leave_one_out(ratings, pearson, judge)
        gaps.append(found.difference.value)
        unfair.append(pearson(judge, ratings.mean(axis=1)).value - found.human.value)
    assert np.mean(gaps) == pytest.approx(0.0, abs=0.02)
    assert np.mean(unfair) > 0.01


def test_items_without_a_judge_score_count_for_nobody() -> None:
    ratings, truth = panel(3)
    judge = np.where(np.arange(80) < 50, truth, NAN)
    found, cut = leave_one_out(ratings, pearson, judge), leave_one_out(ratings[:50], pearson, truth[:50])
    assert found.human.value == pytest.approx(cut.human.value)
    assert found.human.n == 50
    assert found.difference.se == pytest.approx(cut.difference.se)


def test_raters_with_few_items_are_left_out_and_counted() -> None:
    ratings, _ = panel(4, raters=3)
    ratings[2:, 2] = NAN
    found = leave_one_out(ratings, pearson)
    assert (found.raters, found.left_out) == (2, 1)
    assert found.judge.undefined == "no items (no judge was given)"


def test_majority_consensus() -> None:
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, 150)
    ratings = np.where(rng.random((150, 4)) < 0.8, truth[:, None], rng.integers(0, 3, (150, 4))).astype(float)
    kappa = pair_statistic("cohen_kappa", [0, 1, 2])
    found = leave_one_out(ratings, kappa, truth, consensus=Consensus.MAJORITY, categories=[0, 1, 2])
    some = leave_one_out(ratings[:, :3], kappa, truth, consensus=Consensus.MAJORITY, categories=[0, 1, 2])
    draws = [np.isnan(majority(np.delete(ratings[:, :3], j, axis=1), [0, 1, 2])) for j in range(3)]
    assert some.human.n == 150 - int(np.logical_and.reduce(draws).sum()) < 150
    assert found.difference.low > 0
    with pytest.raises(ValueError, match="declared categories"):
        leave_one_out(ratings, kappa, truth, consensus=Consensus.MAJORITY)


def test_order_of_raters_and_items_does_not_matter() -> None:
    ratings, truth = panel(6)
    order = np.random.default_rng(0).permutation(80)
    plain, shuffled = (
        leave_one_out(ratings, spearman, truth),
        leave_one_out(ratings[order][:, ::-1], spearman, truth[order]),
    )
    assert shuffled.human.value == pytest.approx(plain.human.value)
    assert shuffled.difference.se == pytest.approx(plain.difference.se)


def test_groups_widen_the_ceiling() -> None:
    ratings, _ = panel(7)
    copies, groups = np.repeat(ratings, 3, axis=0), np.repeat(np.arange(80), 3)
    once, thrice = pairwise_ceiling(ratings, pearson), pairwise_ceiling(copies, pearson, groups)
    assert thrice.estimate.se == pytest.approx(once.estimate.se)
    assert thrice.estimate.groups == 80


def test_intra_rater() -> None:
    found = intra_rater([1, 2, 3, 4, 5], [1, 2, 3, 5, 5], pearson, ["a", "a", "b", "b", "b"])
    assert found.estimate.value == pytest.approx(np.corrcoef([1, 2, 3, 4, 5], [1, 2, 3, 5, 5])[0, 1])
    assert found.changed.value == pytest.approx(0.2)
    assert found.raters == 2


def test_consensus_helpers() -> None:
    ratings = [[1, 1, 2], [1, 2, NAN], [NAN, NAN, NAN], [2, NAN, NAN]]
    assert majority(ratings, [1, 2]).tolist() == pytest.approx([1, NAN, NAN, 2], nan_ok=True)
    assert rater_mean(ratings).tolist() == pytest.approx([4 / 3, 1.5, NAN, 2], nan_ok=True)
    assert unanimous([[1, 1, NAN], [1, 2, 1], [1, NAN, NAN], [NAN, NAN, NAN]]).tolist() == [
        True,
        False,
        False,
        False,
    ]
