"""Columns of a rubric and its overall."""

from __future__ import annotations

from dataclasses import replace

from evalharness.core.rubric import Overall, PassRule
from evalharness.core.scores import OVERALL, Cause, Failure, Score, Skip, SkipReason
from evalharness.judges.columns import (
    model_parts,
    overall_result,
    rubric_columns,
    sampling_text,
    signature_text,
    with_overall,
)
from evalharness.llm.client import Sampling
from tests.judges.fakes import FakeClient, binary, nominal, numeric, ordinal, rubric

MADE = rubric(
    ordinal("help", passes=PassRule(">=", 4.0), weight=3.0),
    binary("invented", good="no", must=True),
    nominal(),
)


def test_one_column_per_criterion_and_the_overall():
    columns = rubric_columns("me", MADE, {"judge": "x"}, note="n")
    assert [c.criterion for c in columns] == ["help", "invented", "tone", OVERALL]
    assert {(c.scorer, c.rubric, c.unit, c.judged, c.note) for c in columns} == {
        ("me", "r", MADE.unit, True, "n")
    }
    assert [(c.low, c.high) for c in columns] == [(1.0, 5.0), (0.0, 1.0), (None, None), (0.0, 1.0)]
    assert [c.passes for c in columns] == [">=4", "==0", None, None]
    assert [c.higher_is_better for c in columns] == [True, False, None, True]
    assert [c.must for c in columns] == [False, True, False, False]
    assert [c.nominal for c in columns] == [False, False, True, False]
    assert columns[2].levels == ("cold", "warm", "rude")


def test_signatures_follow_what_the_judge_sees_and_the_overall_s_all_of_the_rubric():
    def signatures(of):
        return [c.signature for c in rubric_columns("me", of, {"judge": "x"})]

    base = signatures(MADE)
    reweighted = signatures(
        replace(MADE, criteria=(replace(MADE.criteria[0], weight=1.0), *MADE.criteria[1:]))
    )
    assert (base[:-1], base[-1]) != (reweighted[:-1], reweighted[-1]) and base[:-1] == reweighted[:-1]
    asked = signatures(replace(MADE, criteria=(replace(MADE.criteria[0], question="?"), *MADE.criteria[1:])))
    assert not set(base) & set(asked)


def test_signature_text_can_t_be_forged_by_a_model_s_name():
    assert signature_text({"a": "x|b:y", "b": "z"}) == "a:x¦b:y|b:z"


def test_what_a_signature_says_of_a_model():
    parts = model_parts(FakeClient([], model="m", endpoint="host/v1"))
    assert parts["judge"] == "fake:m" and parts["at"] == "host/v1" and len(parts["identity"]) == 8
    assert model_parts(FakeClient([], model="n"))["identity"] != parts["identity"]
    assert model_parts(FakeClient([], backend="local", model="/home/me/m.gguf"))["judge"] == "local:m.gguf"
    assert sampling_text(Sampling()) == "default"
    assert sampling_text(Sampling(temperature=0.0, effort="low")) == "temperature=0.0,effort=low"


def test_the_overall_of_scores():
    results = {"help": Score(5.0), "invented": Score(0.0), "tone": Score("cold")}
    assert with_overall(MADE, results)[-1] == Score(1.0)
    assert overall_result(MADE, {**results, "invented": Score(1.0)}) == Score(0.0)


def test_a_failed_criterion_leaves_the_overall_undefined_and_a_skipped_one_does_not_count():
    results = {"help": Score(3.0), "invented": Failure(Cause.EMPTY), "tone": Score("cold")}
    assert overall_result(MADE, results) == Failure(Cause.INCOMPLETE, "no value for invented")
    assert overall_result(MADE, {**results, "invented": Skip(SkipReason.NO_CONTEXT)}) == Score(0.5)


def test_an_overall_of_nothing_is_a_skip():
    skips = {c.id: Skip(SkipReason.NO_CONTEXT) for c in MADE.criteria}
    assert overall_result(MADE, skips) == Skip(SkipReason.NO_CONTEXT, "every criterion was skipped")
    only = {**skips, "tone": Score("cold")}
    assert overall_result(MADE, only).reason is SkipReason.NOTHING_TO_JUDGE


def test_all_pass_states_its_own_pass_rule():
    made = rubric(numeric(passes=PassRule(">=", 5.0)), overall=Overall.ALL_PASS)
    assert rubric_columns("me", made, {})[-1].passes == ">=1"
    assert overall_result(made, {"share": Score(6.0)}) == Score(1.0)
