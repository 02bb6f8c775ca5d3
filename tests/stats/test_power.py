import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.stats.label_budget import (
    kappa_half_width,
    kappa_labels,
    mean_labels,
    pearson_labels,
    rate_labels,
)
from evalharness.stats.power import (
    Noise,
    Wanted,
    detectable_effect,
    groups_needed,
    mcnemar_effect,
    mcnemar_n,
    miller_effect,
    miller_n,
    noninferiority_n,
    paired_effect,
    paired_n,
    paired_t_n,
    t_power,
    two_sample_n,
    two_sample_t_n,
    whole,
)


def test_t_tests_published() -> None:
    """G*Power prints 34 and 64; statsmodels the fractions."""
    assert paired_t_n(0.5) == pytest.approx(33.367, abs=5e-4)
    assert two_sample_t_n(0.5) == pytest.approx(63.766, abs=5e-4)
    assert (whole(paired_t_n(0.5)), whole(two_sample_t_n(0.5))) == (34, 64)


def test_normal_sizes_published() -> None:
    assert whole(paired_n(0.5, 0.1)) == 197
    assert whole(paired_n(1.0, 0.2)) == 197
    assert whole(mcnemar_n(0.2, 0.05)) == 626
    assert whole(mcnemar_n(0.2, 0.10)) == 155


def test_miller_published() -> None:
    """Miller (2024): 969 questions to see 3 points; 198 questions detect 13.3 points once and 7.6 with ten samples."""
    assert miller_n(Noise(item=1 / 9), 0.03) == pytest.approx(968.9975, abs=5e-5)
    uniform = Noise(item=1 / 9, first=1 / 6, second=1 / 6)
    assert 0.132 <= miller_effect(uniform, 198) <= 0.133
    assert 0.075 <= miller_effect(uniform, 198, 10, 10) <= 0.076


@pytest.mark.parametrize(("samples", "ratio"), [(1, 1.0), (2, 2 / 3), (4, 0.5), (1_000_000, 1 / 3)])
def test_resampling_leaves_the_variance_between_items(samples: int, ratio: float) -> None:
    """Var = Var1 (1 + 2/K) / 3 in Miller's uniform example: it does not go to 0 with K."""
    noise = Noise(item=1 / 12, first=1 / 6)
    assert noise.per_group(1, samples) / noise.per_group(1, 1) == pytest.approx(ratio, abs=1e-6)


@given(st.floats(0.15, 2.0), st.sampled_from([0.8, 0.9]), st.sampled_from([1, 2]))
def test_sizes_agree_with_statsmodels(effect: float, power: float, sides: int) -> None:
    tools = pytest.importorskip("statsmodels.stats.power")
    wanted = Wanted(0.05, power, sides)
    alternative = "two-sided" if sides == 2 else "larger"
    paired = tools.TTestPower().solve_power(effect, alpha=0.05, power=power, alternative=alternative)
    both = tools.TTestIndPower().solve_power(effect, alpha=0.05, power=power, alternative=alternative)
    assert paired_t_n(effect, wanted) == pytest.approx(float(paired), rel=1e-4, abs=2e-3)
    if both > 2:
        assert two_sample_t_n(effect, wanted) == pytest.approx(float(both), rel=1e-4, abs=2e-3)


@given(st.integers(2, 200), st.floats(0.0, 0.3), st.integers(1, 8), st.integers(1, 5))
def test_detectable_effect_has_the_wanted_power(groups: int, group: float, items: int, samples: int) -> None:
    noise = Noise(group=group, item=0.5, first=0.2, second=0.2)
    effect = detectable_effect(noise, groups, items, samples)
    se = (noise.per_group(items, samples, samples) / groups) ** 0.5
    assert t_power(effect / se, groups - 1) == pytest.approx(0.8, abs=1e-6)


@given(st.floats(0.05, 1.0), st.integers(1, 8))
def test_groups_needed_are_enough_and_one_less_is_not(effect: float, items: int) -> None:
    noise = Noise(group=0.1, item=0.3, first=0.1, second=0.1)
    groups = groups_needed(noise, effect, items)
    assert detectable_effect(noise, groups, items) <= effect * (1 + 1e-9)
    if groups > 2:
        assert detectable_effect(noise, groups - 1, items) > effect


def test_more_items_help_only_down_to_the_group_variance() -> None:
    noise = Noise(group=0.2, item=0.8)
    assert groups_needed(noise, 0.2, 1) > groups_needed(noise, 0.2, 8) >= groups_needed(Noise(group=0.2), 0.2)


def test_effects_and_sizes_invert() -> None:
    assert paired_effect(0.5, paired_n(0.5, 0.1)) == pytest.approx(0.1)
    assert two_sample_n(0.5, 0.1) == pytest.approx(2 * paired_n(0.5, 0.1))
    assert mcnemar_effect(0.2, mcnemar_n(0.2, 0.05)) == pytest.approx(0.05)
    assert mcnemar_effect(0.2, 5) is None
    assert noninferiority_n(1.0, 0.25) == pytest.approx(98.92, abs=0.01)
    assert noninferiority_n(1.0, 0.25, true_difference=-0.1) > noninferiority_n(1.0, 0.25)


def test_extreme_error_rates_with_two_groups() -> None:
    strict = Wanted(alpha=1e-5, power=0.99)
    effect = detectable_effect(Noise(item=1.0), 2, wanted=strict)
    assert t_power(effect * 2**0.5, 1, strict) == pytest.approx(0.99, abs=1e-6)


def test_no_noise_needs_two_groups() -> None:
    assert groups_needed(Noise(), 0.1) == 2
    assert detectable_effect(Noise(), 5) == 0.0
    assert detectable_effect(Noise(item=1.0), 1) is None
    assert groups_needed(Noise(item=1.0), 1e-6) is None


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        paired_n(1.0, 0.0)
    with pytest.raises(ValueError, match="discordant"):
        mcnemar_n(0.1, 0.2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        Wanted(power=1.0)
    with pytest.raises(ValueError, match="positive"):
        noninferiority_n(1.0, 0.1, true_difference=-0.1)


@pytest.mark.parametrize(
    ("kappa", "sizes"),
    [(0.4, [323, 489, 848, 1581]), (0.6, [246, 392, 705, 1347]), (0.8, [139, 222, 401, 768])],
)
def test_kappa_budgets(kappa: float, sizes: list[int]) -> None:
    assert [whole(kappa_labels(kappa, p, 0.1)) for p in (0.5, 0.8, 0.9, 0.95)] == sizes


def test_half_width_is_not_width() -> None:
    """An interval of kappa no wider than .10 takes 984 labels, not 200."""
    assert whole(kappa_labels(0.6, 0.5, 0.05)) == 984
    assert kappa_half_width(0.6, 0.5, 100) == pytest.approx(0.157, abs=5e-4)
    assert kappa_half_width(0.6, 0.9, 100) == pytest.approx(0.265, abs=5e-4)


def test_other_budgets() -> None:
    assert [whole(pearson_labels(r, 0.1)) for r in (0.3, 0.5, 0.7, 0.85)] == [320, 219, 105, 36]
    assert whole(rate_labels(0.5, 0.05)) == 385
    assert whole(mean_labels(1.0, 0.1)) == 385
