"""pass^k and pass@k: the estimators by enumeration, and the interval over tasks."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.pass_k import pass_all, pass_any, pass_k


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.integers(1, 7))
def test_the_estimators_are_shares_of_subsets_of_trials(outcomes: list[bool], k: int):
    if k > len(outcomes):
        return
    subsets = list(combinations(outcomes, k))
    successes = sum(outcomes)
    assert pass_all(successes, len(outcomes), k) == pytest.approx(sum(map(all, subsets)) / len(subsets))
    assert pass_any(successes, len(outcomes), k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_tasks_are_the_observations_however_often_they_are_tried():
    few = pass_k([1, 0, 2], [2, 2, 2], 1)
    many = pass_k([50, 0, 100], [100, 100, 100], 1)
    assert few.value == many.value == 0.5
    assert (few.low, few.high, few.groups) == (many.low, many.high, 3)


def test_clusters_of_tasks_widen_the_interval():
    alone = pass_k([2, 2, 0, 0], [2, 2, 2, 2], 2)
    together = pass_k([2, 2, 0, 0], [2, 2, 2, 2], 2, [0, 0, 1, 1])
    assert together.groups == 2
    assert together.se is not None
    assert alone.se is not None
    assert together.se > alone.se


def test_intervals_stay_within_their_scale_and_have_a_width_at_its_end():
    high = pass_k([5, 5, 4], [5, 5, 5], 1)
    assert 0.0 < high.low < high.value < high.high < 1.0
    perfect = pass_k([5] * 10, [5] * 10, 1)
    assert perfect.value == perfect.high == 1.0
    assert 0.6 < perfect.low < 0.75


def test_tasks_with_fewer_trials_have_no_estimate():
    found = pass_k([2, 1], [2, 1], 2)
    assert (found.value, found.n) == (1.0, 1)
    assert pass_k([1], [1], 2).undefined == "no task has 2 trials"
    with pytest.raises(ValueError, match="between 0 and the number"):
        pass_k([3], [2], 1)
    with pytest.raises(ValueError, match="at least 1"):
        pass_k([1], [1], 0)
