import numpy as np
import pytest

from evalharness.stats.bland_altman import bland_altman, deming_slope

WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def test_bland_altman_1986() -> None:
    found = bland_altman(WRIGHT, MINI, multiplier=2)
    assert round(found.bias.value, 1) == -2.1
    assert round(found.sd, 1) == 38.8
    assert (round(found.lower.value, 1), round(found.upper.value, 1)) == (-79.6, 75.4)


def test_agrees_with_pingouin_definitions() -> None:
    found = bland_altman(WRIGHT, MINI)
    d = np.subtract(WRIGHT, MINI)
    assert found.upper.value == pytest.approx(d.mean() + 1.959964 * d.std(ddof=1), abs=1e-4)
    half = 2.1199052992210112 * d.std(ddof=1) / np.sqrt(17)
    assert (found.bias.low, found.bias.high) == pytest.approx((d.mean() - half, d.mean() + half))


def test_errors_of_the_limits_are_those_of_normal_differences() -> None:
    """Bland & Altman (1999): SD sqrt(1/n + z^2 / (2 (n - 1))) for independent normal differences."""
    rng = np.random.default_rng(1)
    reference = rng.normal(size=4000)
    found = bland_altman(reference + rng.normal(size=4000), reference)
    expected = found.sd * np.sqrt(1 / 4000 + found.multiplier**2 / (2 * 3999))
    assert found.upper.se == pytest.approx(expected, rel=0.05)
    assert found.lower.se == pytest.approx(expected, rel=0.05)


def test_a_judge_that_compresses_the_scale() -> None:
    rng = np.random.default_rng(2)
    human = rng.uniform(1, 5, 300)
    found = bland_altman(3 + 0.5 * (human - 3) + rng.normal(scale=0.1, size=300), human)
    assert found.proportional_bias.high < -0.5
    assert found.sd_ratio.high < 0.6
    assert found.deming_slope == pytest.approx(0.5, abs=0.03)
    assert abs(found.bias.value) < 0.1


def test_sides_can_be_exchanged() -> None:
    forward, back = bland_altman(WRIGHT, MINI), bland_altman(MINI, WRIGHT)
    assert back.bias.value == pytest.approx(-forward.bias.value)
    assert back.upper.value == pytest.approx(-forward.lower.value)
    assert back.upper.se == pytest.approx(forward.lower.se)
    assert back.proportional_bias.value == pytest.approx(-forward.proportional_bias.value)
    assert back.sd_ratio.value == pytest.approx(1 / forward.sd_ratio.value)
    assert back.deming_slope == pytest.approx(1 / forward.deming_slope)


def test_shift_and_unit() -> None:
    plain, moved = bland_altman(WRIGHT, MINI), bland_altman(np.array(WRIGHT) / 10 + 5, np.array(MINI) / 10)
    assert moved.bias.value == pytest.approx(plain.bias.value / 10 + 5)
    assert moved.sd == pytest.approx(plain.sd / 10)
    assert moved.proportional_bias.value == pytest.approx(plain.proportional_bias.value)
    assert moved.sd_ratio.se == pytest.approx(plain.sd_ratio.se)


def test_everything_clusters() -> None:
    groups = np.repeat(np.arange(17), 3)
    once, thrice = bland_altman(WRIGHT, MINI), bland_altman(np.repeat(WRIGHT, 3), np.repeat(MINI, 3), groups)
    assert thrice.bias.se == pytest.approx(once.bias.se)
    assert thrice.proportional_bias.se == pytest.approx(once.proportional_bias.se)
    assert thrice.sd_ratio.se == pytest.approx(once.sd_ratio.se)
    assert thrice.upper.groups == 17


def test_degenerate_sides() -> None:
    flat = bland_altman([2, 2, 2], [1, 1, 1])
    assert (flat.bias.value, flat.sd) == (1.0, 0.0)
    assert flat.upper.value == 1.0
    assert flat.upper.low is None
    assert flat.proportional_bias.value is None
    assert flat.sd_ratio.undefined == "a side does not vary"
    assert flat.deming_slope is None
    assert bland_altman([1.0], [2.0]).upper.undefined == "two items are needed"
    assert bland_altman([], []).bias.value is None
    assert deming_slope([1, 2, 1, 2], [1, 1, 2, 2]) is None
