import math

import pytest

from evalharness.stats.estimate import Estimate, point, undefined
from evalharness.stats.undefined import Cause, Undefined


def test_value_and_reason_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="either a value or a reason"):
        Estimate(None, None, None, None, 0.95, "m", 0, 0, None)
    with pytest.raises(ValueError, match="either a value or a reason"):
        Estimate(1.0, None, None, None, 0.95, "m", 1, 1, "why")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["value", "se", "low"])
def test_never_nan_inside(bad: float, field: str) -> None:
    numbers = {"value": 1.0, "se": 0.1, "low": 0.8, "high": 1.2} | {field: bad}
    with pytest.raises(ValueError, match="finite"):
        Estimate(**numbers, level=0.95, method="m", n=3, groups=3, undefined=None)


def test_half_an_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="both bounds or none"):
        Estimate(1.0, 0.1, 0.8, None, 0.95, "m", 3, 3, None)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_level_is_a_probability(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        point(1.0, n=1, groups=1, level=level)


def test_undefined_has_no_uncertainty() -> None:
    with pytest.raises(ValueError, match="no uncertainty"):
        Estimate(None, 0.1, None, None, 0.95, "m", 3, 3, "why")
    estimate = undefined("no items")
    assert not estimate.is_defined
    with pytest.raises(ValueError, match="undefined: no items"):
        estimate.require()


def test_clipped_to_the_parameter_space() -> None:
    estimate = Estimate(0.9, 0.1, 0.7, 1.1, 0.95, "m", 3, 3, None).clipped(-1.0, 1.0)
    assert (estimate.low, estimate.high, estimate.value) == (0.7, 1.0, 0.9)


def test_every_cause_is_a_sentence() -> None:
    reasons = {Undefined(cause, 3, "here").reason for cause in Cause}
    assert len(reasons) == len(Cause)
    assert all(reason.endswith("(here)") for reason in reasons)
    assert Undefined(Cause.EMPTY).estimate().undefined == "no items"
