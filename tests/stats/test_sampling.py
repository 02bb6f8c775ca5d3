import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.sampling import draw_sample, inclusion_probabilities

priorities = st.lists(st.floats(0, 100), min_size=1, max_size=80)


@given(priorities, st.floats(0, 1), st.floats(0.01, 1))
def test_probabilities_sum_to_the_budget(priority: list[float], share: float, floor: float) -> None:
    n = len(priority)
    pi = inclusion_probabilities(n, share * n, priority, floor)
    assert pi.sum() == pytest.approx(share * n, abs=1e-6)
    assert pi.max() <= 1.0 + 1e-12
    assert pi.min() >= min(1.0, floor * share) - 1e-9
    assert np.all(np.diff(pi[np.argsort(priority, kind="stable")]) >= -1e-9)


def test_without_priority_all_are_equal() -> None:
    assert inclusion_probabilities(40, 10) == pytest.approx(np.full(40, 0.25))
    assert inclusion_probabilities(40, 10, np.zeros(40)) == pytest.approx(np.full(40, 0.25))


@given(priorities, st.integers(0, 1000))
def test_sample_size_is_the_budget(priority: list[float], seed: int) -> None:
    budget = len(priority) // 3
    drawn = draw_sample(inclusion_probabilities(len(priority), budget, priority), seed)
    assert abs(int(drawn.chosen.sum()) - budget) <= 1
    assert np.array_equal(drawn.chosen, draw_sample(drawn.probability, seed).chosen)


def test_every_item_is_drawn_with_its_probability() -> None:
    pi = inclusion_probabilities(12, 5, np.arange(12.0))
    hits = np.mean([draw_sample(pi, seed).chosen for seed in range(4000)], axis=0)
    assert hits == pytest.approx(pi, abs=0.03)


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(ValueError, match="budget"):
        inclusion_probabilities(3, 4)
    with pytest.raises(ValueError, match="floor"):
        inclusion_probabilities(3, 1, floor=0.0)
    with pytest.raises(ValueError, match="priority"):
        inclusion_probabilities(3, 1, [1.0, -1.0, 1.0])
    with pytest.raises(ValueError, match="between 0 and 1"):
        draw_sample([1.5], 0)
    assert draw_sample([], 0).chosen.size == 0
