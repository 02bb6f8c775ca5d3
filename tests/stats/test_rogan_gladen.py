import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.rogan_gladen import (
    JudgeCounts,
    clustered_rogan_gladen,
    label_allocation,
    rogan_gladen,
)


def test_published_interval() -> None:
    """Lee et al. (arXiv 2511.21140): p .4 of 1000, specificity .7 and sensitivity .9 of 200 each."""
    estimate = rogan_gladen(JudgeCounts(400, 1000, 140, 200, 180, 200))
    assert estimate.value == pytest.approx(0.166667, abs=5e-7)
    assert estimate.low == pytest.approx(0.056351, abs=5e-7)
    assert estimate.high == pytest.approx(0.262733, abs=5e-7)


def test_perfect_judge_changes_nothing() -> None:
    assert rogan_gladen(JudgeCounts(300, 1000, 500, 500, 500, 500)).value == pytest.approx(0.3)


@given(st.integers(0, 200), st.integers(0, 60), st.integers(0, 60))
def test_swapping_classes_mirrors(positives: int, negatives_right: int, positives_right: int) -> None:
    one = rogan_gladen(JudgeCounts(positives, 200, negatives_right, 60, positives_right, 60))
    other = rogan_gladen(JudgeCounts(200 - positives, 200, positives_right, 60, negatives_right, 60))
    if one.value is None:
        assert other.undefined == one.undefined
        return
    assert one.value == pytest.approx(1 - other.value)
    assert one.low == pytest.approx(1 - other.high)
    assert 0 <= one.low <= one.high <= 1


def test_unlabelled_items_count_in_the_width() -> None:
    """Few judged items widen the interval: bootstrapping the labelled set alone would not see them."""
    few = rogan_gladen(JudgeCounts(20, 40, 180, 200, 180, 200))
    many = rogan_gladen(JudgeCounts(20_000, 40_000, 180, 200, 180, 200))
    assert few.high - few.low > 2 * (many.high - many.low)


def test_chance_judges_and_missing_classes_are_undefined() -> None:
    assert "chance" in rogan_gladen(JudgeCounts(50, 100, 10, 20, 10, 20)).undefined
    assert "chance" in rogan_gladen(JudgeCounts(50, 100, 5, 20, 5, 20)).undefined
    assert "both classes" in rogan_gladen(JudgeCounts(50, 100, 0, 0, 10, 20)).undefined
    with pytest.raises(ValueError, match="no count"):
        JudgeCounts(5, 4, 0, 0, 0, 0)


@given(st.integers(2, 500), st.floats(0.01, 0.99), st.floats(0.1, 10))
def test_allocation_uses_every_label(labels: int, rate: float, ratio: float) -> None:
    bad, good = label_allocation(labels, rate, ratio)
    assert bad + good == labels
    assert min(bad, good) >= 1
    assert label_allocation(100, 0.5) == (50, 50)


def test_coverage() -> None:
    """Sensitivity .9, specificity .8, true rate .7: .95 or a little above, as Lee et al. report."""
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(600):
        truth = rng.random(100) < 0.7
        right = rng.random(100) < np.where(truth, 0.9, 0.8)
        judge = np.where(truth, right, ~right)
        positives = rng.binomial(1000, 0.7 * 0.9 + 0.3 * 0.2)
        counts = JudgeCounts(
            positives, 1000, int(np.sum(~truth & ~judge)), int(np.sum(~truth)),
            int(np.sum(truth & judge)), int(np.sum(truth)),
        )  # fmt: skip
        estimate = rogan_gladen(counts)
        covered += estimate.low <= 0.7 <= estimate.high
    assert 0.94 <= covered / 600 <= 0.99


def test_items_that_are_alike_widen_the_interval() -> None:
    """Copies of an item tell no more than the item; with items of their own it is Lee's interval and Student's t."""
    rng = np.random.default_rng(8)
    good, rest = rng.random(200) < 0.6, rng.random(900) < 0.6
    said = np.where(rng.random(200) < 0.85, good, ~good)
    alone = clustered_rogan_gladen(said, good, rest, np.arange(200), 200 + np.arange(900))
    counts = JudgeCounts(
        int(rest.sum()),
        900,
        int((~said & ~good).sum()),
        int((~good).sum()),
        int((said & good).sum()),
        int(good.sum()),
    )
    plain = rogan_gladen(counts)
    assert alone.value == plain.value
    assert alone.high - alone.low == pytest.approx((plain.high - plain.low) * 1.9720 / 1.9600, rel=1e-3)
    copied = clustered_rogan_gladen(
        np.repeat(said, 4), np.repeat(good, 4), rest, np.repeat(np.arange(200), 4), 200 + np.arange(900)
    )
    assert copied.groups == 1100
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert clustered_rogan_gladen(said, said, rest, np.zeros(200), np.ones(900)).method.startswith("Rogan")


@pytest.mark.slow
def test_clustered_coverage() -> None:
    rng = np.random.default_rng(9)
    held = plain_held = 0
    for _ in range(400):
        group = np.repeat(np.arange(200), 6)
        rate = rng.beta(1.4, 0.6, 200)[group]
        good = rng.random(1200) < rate
        wrong = rng.random(1200) < rng.beta(0.6, 2.4, 200)[group]
        said, chosen = good ^ wrong, group < 30
        found = clustered_rogan_gladen(
            said[chosen], good[chosen], said[~chosen], group[chosen], group[~chosen]
        )
        alone = clustered_rogan_gladen(
            said[chosen], good[chosen], said[~chosen], np.arange(180), 180 + np.arange(1020)
        )
        held += found.low <= 0.7 <= found.high
        plain_held += alone.low <= 0.7 <= alone.high
    assert held / 400 >= 0.92
    assert plain_held < held
