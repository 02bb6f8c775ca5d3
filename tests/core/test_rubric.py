"""Criteria, pass rules and the overall of a rubric."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.dialogue import Unit
from evalharness.core.rubric import Criterion, Level, Overall, PassRule, Rubric, Scale, overall_value
from evalharness.core.scores import Value


def _ordinal(name: str = "quality", **fields: object) -> Criterion:
    levels = tuple(Level(str(n), f"level {n}", float(n)) for n in range(1, 6))
    return Criterion(name, "How good?", Scale.ORDINAL, levels, **{"passes": PassRule(">=", 4.0), **fields})


def _binary(name: str = "invented", **fields: object) -> Criterion:
    levels = (Level("no", "", 0.0), Level("yes", "", 1.0))
    rule = PassRule("==", 0.0)
    return Criterion(
        name,
        "Invented?",
        Scale.BINARY,
        levels,
        **{"passes": rule, "good": "no", "higher_is_better": False, **fields},
    )


def _rubric(*criteria: Criterion, overall: Overall = Overall.WEIGHTED_MEAN) -> Rubric:
    return Rubric("r", "1", Unit.TURN, "about", criteria, overall)


@pytest.mark.parametrize(
    ("text", "good", "bad"),
    [
        (">=4", 4.0, 3.9),
        ("<=2", 2.0, 2.1),
        ("> 3", 3.5, 3.0),
        ("<3", 2.0, 3.0),
        ("4", 5.0, 3.0),
        ("=1", 1.0, 0.0),
    ],
)
def test_pass_rules(text: str, good: float, bad: float):
    rule = PassRule.parse(text)
    assert rule(good)
    assert not rule(bad)
    assert PassRule.parse(str(rule)) == rule


def test_nonsense_is_no_pass_rule():
    with pytest.raises(ValueError, match="no pass rule"):
        PassRule.parse("good")


def test_polarity_turns_the_scale():
    assert _ordinal().unit_interval(5.0) == 1.0
    assert _binary().unit_interval(1.0) == 0.0
    assert _binary().passed(0.0) is True


def test_single_verdicts_must_be_levels():
    assert _ordinal().accepts(3.0)
    assert not _ordinal().accepts(3.5)
    assert not _ordinal().accepts(math.nan)
    assert not _ordinal().accepts("3")


def test_the_overall_is_a_weighted_mean_on_0_to_1():
    rubric = _rubric(_ordinal(weight=3.0), _binary(weight=1.0))
    assert overall_value(rubric, {"quality": 3.0, "invented": 0.0}) == pytest.approx((3 * 0.5 + 1.0) / 4)


def test_a_missed_must_makes_the_overall_zero():
    rubric = _rubric(_ordinal(), _binary(must=True))
    assert overall_value(rubric, {"quality": 5.0, "invented": 1.0}) == 0.0


def test_skipped_criteria_do_not_count():
    assert overall_value(_rubric(_ordinal(), _binary()), {"quality": 5.0}) == 1.0
    assert overall_value(_rubric(_ordinal()), {}) is None


@pytest.mark.parametrize(("overall", "expected"), [(Overall.MIN, 0.5), (Overall.ALL_PASS, 0.0)])
def test_other_overalls(overall: Overall, expected: float):
    rubric = _rubric(_ordinal("a"), _ordinal("b"), overall=overall)
    assert overall_value(rubric, {"a": 3.0, "b": 5.0}) == expected


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(1, 5).map(float)))
def test_the_overall_stays_within_its_bounds(values: dict[str, Value]):
    value = overall_value(
        _rubric(_ordinal("a"), _ordinal("b", weight=0.5), _ordinal("c", weight=2.0)), values
    )
    assert value is None if not values else value is not None and 0.0 <= value <= 1.0


def test_the_judge_hash_ignores_what_the_judge_does_not_see():
    assert _rubric(_ordinal(weight=2.0)).judge_hash == _rubric(_ordinal()).judge_hash
    assert _rubric(_ordinal(weight=2.0)).full_hash != _rubric(_ordinal()).full_hash
    other = _rubric(_ordinal("other"))
    assert other.judge_hash != _rubric(_ordinal()).judge_hash


def test_a_cut_down_rubric_keeps_one_criterion():
    assert [c.id for c in _rubric(_ordinal(), _binary()).only("invented").criteria] == ["invented"]
    with pytest.raises(KeyError):
        _rubric(_ordinal()).criterion("nothing")
