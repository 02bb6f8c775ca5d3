import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.clustered import mean_interval
from evalharness.stats.differences import difference_interval, paired_difference, unpaired_difference
from evalharness.stats.noninferiority import one_sided, tost, tost_paired, tost_unpaired

FIRST, SECOND = [4, 7, 8, 6, 3, 2], [6, 8, 7, 10, 11, 9]
values = st.lists(st.integers(1, 5), min_size=3, max_size=40)


def test_tost_published() -> None:
    """The example of pingouin.tost, to the printed digits."""
    assert tost_unpaired(FIRST, SECOND, 1.0, pooled=True).p == pytest.approx(0.965097, abs=5e-7)
    assert tost_paired(FIRST, SECOND, 0.5).p == pytest.approx(0.954854, abs=5e-7)


@given(values, st.floats(0.1, 2.0), st.randoms())
def test_tost_agrees_with_statsmodels(first: list[int], margin: float, random: object) -> None:
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    second = [random.randint(1, 5) for _ in first]
    ours = tost_paired(first, second, margin)
    if len({a - b for a, b in zip(first, second, strict=True)}) == 1:
        assert ours.p is None
        assert ours.above_low.undefined == "the differences don't vary"
        return
    p, _, _ = weightstats.ttost_paired(np.array(first, float), np.array(second, float), -margin, margin)
    assert ours.p == pytest.approx(p, abs=1e-9)
    if len(set(first)) > 1:
        p, _, _ = weightstats.ttost_ind(
            np.array(first, float), np.array(second, float), -margin, margin, usevar="unequal"
        )
        assert tost_unpaired(first, second, margin).p == pytest.approx(p, abs=1e-9)


@given(values, st.randoms())
def test_unpaired_difference_is_welchs(first: list[int], random: object) -> None:
    from scipy.stats import ttest_ind

    second = [random.randint(1, 5) for _ in range(7)] + [1, 5]
    theirs = ttest_ind(first, second, equal_var=False).confidence_interval()
    ours = unpaired_difference(first, second).interval()
    assert ours.low == pytest.approx(theirs.low)
    assert ours.high == pytest.approx(theirs.high)


def test_paired_difference_is_the_clustered_mean() -> None:
    rng = np.random.default_rng(1)
    first, second, groups = rng.normal(size=30), rng.normal(size=30), np.arange(30) % 6
    ours, mean = (
        paired_difference(first, second, groups).interval(0.9),
        mean_interval(first - second, groups, 0.9),
    )
    assert (ours.low, ours.high) == pytest.approx((mean.low, mean.high))


@given(values, values, st.floats(0.0, 2.0))
def test_bounds_decide_as_the_tests_do(first: list[int], second: list[int], margin: float) -> None:
    result = one_sided(unpaired_difference(first, second), margin=margin)
    if result.not_below_margin.p is None:
        assert result.lower == result.upper == result.difference.value
        return
    assert (result.lower > -margin) == (result.not_below_margin.p < 0.05)
    assert (result.upper < 0.0) == (result.drop.p < 0.05)


@given(values, st.randoms())
def test_bounds_mirror_when_runs_swap(first: list[int], random: object) -> None:
    second = [random.randint(1, 5) for _ in first]
    one = one_sided(paired_difference(first, second), margin=0.5)
    other = one_sided(paired_difference(second, first), margin=0.5)
    assert one.lower == pytest.approx(-other.upper)
    assert one.upper == pytest.approx(-other.lower)


@given(values, st.randoms(), st.floats(0, 1), st.floats(0, 1))
def test_a_wider_margin_never_makes_it_harder(
    first: list[int], random: object, small: float, more: float
) -> None:
    second = [random.randint(1, 5) for _ in first]
    difference = paired_difference(first, second)
    narrow = one_sided(difference, margin=small).not_below_margin.p
    wide = one_sided(difference, margin=small + more).not_below_margin.p
    if narrow is not None:
        assert wide <= narrow + 1e-12


def test_equal_runs_have_bounds_and_no_tests() -> None:
    result = one_sided(paired_difference([1, 2, 3], [1, 2, 3]), margin=0.1)
    assert (result.lower, result.upper) == (0.0, 0.0)
    assert result.drop.p is None
    assert result.not_below_margin.undefined


def test_single_group_has_neither() -> None:
    difference = paired_difference([1, 2, 3], [1, 2, 2], ["a", "a", "a"])
    result = one_sided(difference, margin=0.1)
    assert result.lower is None
    assert result.drop.undefined == "a single group"
    assert tost(difference, -1, 1).p is None
    assert difference.interval().low is None


def test_nothing_to_compare() -> None:
    assert paired_difference([], []) is None
    assert unpaired_difference([1.0], []) is None
    assert difference_interval(None).undefined == "nothing to compare"
    with pytest.raises(ValueError, match="both sides"):
        tost_unpaired([], [1.0], 1.0)
    with pytest.raises(ValueError, match="negative"):
        one_sided(paired_difference(FIRST, SECOND), margin=-1.0)
    with pytest.raises(ValueError, match="below"):
        tost(paired_difference(FIRST, SECOND), 1.0, -1.0)
