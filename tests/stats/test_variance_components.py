import numpy as np
import pytest

from evalharness.stats.variance_components import paired_noise, variance_components


def nested(groups: int, items: int, repeats: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with variances 1 (group), .5 (item) and .25 (repeat)."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), items * repeats)
    item = np.repeat(np.arange(groups * items), repeats)
    y = rng.normal(0, 1, groups)[group] + rng.normal(0, 0.5**0.5, groups * items)[item]
    return y + rng.normal(0, 0.5, y.size), item, group


def test_known_components_are_recovered() -> None:
    y, item, group = nested(600, 4, 3)
    parts = variance_components(y, item, group)
    assert parts.group == pytest.approx(1.0, abs=0.12)
    assert parts.item == pytest.approx(0.5, abs=0.04)
    assert parts.repeat == pytest.approx(0.25, abs=0.01)
    assert (parts.n, parts.items, parts.groups) == (7200, 2400, 600)


def test_unbalanced_designs_stay_unbiased() -> None:
    rng = np.random.default_rng(3)
    estimates = []
    for seed in range(150):
        y, item, group = nested(25, 4, 3, seed)
        kept = rng.random(y.size) < 0.6
        parts = variance_components(y[kept], item[kept], group[kept])
        estimates.append([parts.group, parts.item, parts.repeat])
    assert np.mean(estimates, axis=0) == pytest.approx([1.0, 0.5, 0.25], abs=0.08)


def test_balanced_two_level_design_is_one_way_anova() -> None:
    y, item, _ = nested(1, 30, 4)
    table = y.reshape(30, 4)
    within = table.var(axis=1, ddof=1).mean()
    between = table.mean(axis=1).var(ddof=1)
    parts = variance_components(y, item)
    assert parts.repeat == pytest.approx(within)
    assert parts.item == pytest.approx(between - within / 4)
    assert parts.group is None
    assert dict(parts.reasons)["group"] == "no groups given"
    assert parts.reliability(4) == pytest.approx(1 - within / 4 / between)


def test_variance_of_the_mean_is_that_of_the_data() -> None:
    """The plug-in variance of a balanced mean equals the variance of group means over G."""
    y, item, group = nested(40, 5, 2, 8)
    parts = variance_components(y, item, group)
    means = y.reshape(40, 10).mean(axis=1)
    assert parts.variance_of_mean(40, 5, 2) == pytest.approx(means.var(ddof=1) / 40)


def test_what_the_design_cannot_tell_is_none() -> None:
    y, item, group = nested(20, 3, 1)
    parts = variance_components(y, item, group)
    assert parts.repeat is None
    assert dict(parts.reasons) == {"repeat": "no item is judged twice"}
    assert parts.reliability() is None
    y, item, group = nested(20, 1, 3)
    parts = variance_components(y, item, group)
    assert parts.item is None
    assert variance_components([], []) is None


def test_negative_estimates_are_cut_and_said() -> None:
    parts = variance_components([0.0, 1.0, 1.0, 0.0], [0, 0, 1, 1])
    assert parts.item == 0.0
    assert parts.truncated == ("item",)


def test_an_item_has_one_group() -> None:
    with pytest.raises(ValueError, match="one group"):
        variance_components([1.0, 2.0], ["i", "i"], ["a", "b"])


def test_paired_noise_separates_items_from_sampling() -> None:
    rng = np.random.default_rng(11)
    items = np.repeat(np.arange(4000), 3)
    effect = rng.normal(0.2, 0.3, 4000)  # true differences: omega^2 = .09
    base = rng.normal(0, 1, 4000)
    first = base[items] + effect[items] + rng.normal(0, 0.4, items.size)
    second = base[items] + rng.normal(0, 0.6, items.size)
    found = paired_noise(first, items, second, items)
    assert found.noise.item == pytest.approx(0.09, abs=0.012)
    assert found.noise.first == pytest.approx(0.16, abs=0.01)
    assert found.noise.second == pytest.approx(0.36, abs=0.02)
    assert found.items == 4000


def test_single_judgements_leave_sampling_in_omega() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=50), rng.normal(size=50)
    found = paired_noise(first, np.arange(50), second, np.arange(50))
    assert found.noise.item == pytest.approx((first - second).var(ddof=1))
    assert (found.noise.first, found.noise.second) == (0.0, 0.0)
    assert paired_noise([1.0], ["x"], [1.0], ["y"]) is None


def test_only_common_items_count() -> None:
    found = paired_noise([1.0, 2.0, 9.0], ["a", "b", "c"], [0.0, 0.5, 7.0], ["a", "b", "d"])
    assert found.items == 2
    assert found.noise.item == pytest.approx(np.var([1.0, 1.5], ddof=1))
