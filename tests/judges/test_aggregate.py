"""Samples and windows into one result, with nothing dropped in silence."""

from __future__ import annotations

import pytest

from evalharness.core.scores import Cause, Evidence, Failure, Score, Skip, SkipReason
from evalharness.judges.aggregate import Reading, combine_samples, combine_windows, window_aggregate
from evalharness.judges.answers import CannotAssess, Unreadable, Verdict
from tests.judges.fakes import binary, nominal, numeric, ordinal


def said(value, rationale="", **more):
    return Reading(Verdict(value, rationale), **more)


def broken(cause=Cause.NO_VERDICT, detail="why", raw="raw"):
    return Reading(Unreadable(cause, detail), raw=raw)


UNABLE = Reading(CannotAssess("no idea"))


def test_one_sample_is_the_result():
    evidence = (Evidence(1, "x", True),)
    reading = Reading(Verdict(4.0, "fine"), evidence, {"4": 1.0}, 0.9, "raw")
    assert combine_samples(ordinal(), [reading], {"windows": 2}) == Score(
        4.0, {"4": 1.0}, (), "fine", evidence, extra={"windows": 2, "label_mass": 0.9}
    )
    assert combine_samples(ordinal(), [said(4.0)], {}) == Score(4.0)
    assert combine_samples(ordinal(), [broken()], {}) == Failure(Cause.NO_VERDICT, "why", "raw")
    assert combine_samples(ordinal(), [UNABLE], {}) == Skip(SkipReason.CANNOT_ASSESS, "no idea")


def test_numbers_are_averaged_over_the_usable_samples_and_all_are_kept():
    readings = [said(2.0, "low"), broken(Cause.EMPTY), said(3.0, "mid"), said(5.0, "high")]
    result = combine_samples(ordinal(), readings, {})
    assert result.value == pytest.approx(10 / 3)
    assert result.samples == (2.0, Cause.EMPTY, 3.0, 5.0)
    assert result.rationale == "mid"


def test_binary_samples_give_the_share_of_yes():
    assert combine_samples(binary(), [said(1.0), said(0.0), said(1.0), said(1.0)], {}).value == 0.75


def test_labels_are_decided_by_majority_and_a_tie_is_a_failure():
    result = combine_samples(nominal(), [said("cold"), said("warm", "yes"), said("warm"), broken()], {})
    assert (result.value, result.rationale) == ("warm", "yes")
    tie = combine_samples(nominal(), [said("cold"), said("warm")], {})
    assert tie == Failure(
        Cause.TWO_VERDICTS, "no answer has a majority among the samples", None, ("cold", "warm")
    )


def test_samples_that_all_failed_fail_by_their_commonest_cause():
    readings = [
        broken(Cause.EMPTY, "empty", ""),
        broken(Cause.REFUSAL, "no", "I won't"),
        broken(Cause.REFUSAL, "nope"),
    ]
    assert combine_samples(ordinal(), readings, {}) == Failure(
        Cause.REFUSAL, "no", "I won't", (Cause.EMPTY, Cause.REFUSAL, Cause.REFUSAL)
    )


@pytest.mark.parametrize(
    ("readings", "kind"),
    [
        ([UNABLE, UNABLE, said(3.0)], Skip),
        ([UNABLE, UNABLE, UNABLE], Skip),
        ([UNABLE, said(3.0), said(3.0)], Score),
        ([UNABLE, said(3.0)], Score),
        ([UNABLE, broken(), broken()], Failure),
    ],
)
def test_cannot_assess_must_be_said_by_most_samples(readings, kind):
    result = combine_samples(ordinal(cannot_assess=True), readings, {})
    assert isinstance(result, kind)
    if isinstance(result, Score):
        assert result.value == 3.0 and result.extra == {"cannot_assess": 1}


def test_distributions_are_averaged_where_every_sample_has_one():
    first, second = (
        said(1.0, probabilities={"1": 1.0}, mass=0.9),
        said(2.0, probabilities={"1": 0.5, "2": 0.5}, mass=0.7),
    )
    result = combine_samples(ordinal(), [first, second], {})
    assert (result.probabilities, result.extra) == ({"1": 0.75, "2": 0.25}, {"label_mass": 0.7})
    assert combine_samples(ordinal(), [first, said(2.0)], {}).probabilities is None


def test_parts_are_averaged_and_a_must_takes_the_worst():
    parts = [
        said(2.0, "a", evidence=(Evidence(1, "", True),)),
        said(5.0, "b", evidence=(Evidence(9, "", True),)),
    ]
    combined = combine_windows(ordinal(), parts)
    assert combined.answer == Verdict(3.5, "[part 1] a\n[part 2] b")
    assert [e.message for e in combined.evidence] == [1, 9]
    assert combine_windows(ordinal(must=True), parts).answer.value == 2.0
    assert (
        combine_windows(binary(good="no", must=True), [said(0.0), said(1.0), said(0.0)]).answer.value == 1.0
    )
    assert combine_windows(numeric(), [said(1.0), said(2.0)]).answer.value == 1.5


def test_how_parts_combine_is_named():
    assert [window_aggregate(c) for c in (ordinal(), ordinal(must=True), nominal(), nominal(must=True))] == [
        "mean", "worst", "majority", "majority",
    ]  # fmt: skip


def test_one_part_without_a_verdict_leaves_the_whole_without_one():
    combined = combine_windows(ordinal(), [said(2.0), broken(Cause.TRUNCATED, "cut"), said(5.0)])
    assert combined.answer == Unreadable(Cause.TRUNCATED, "part 2 of 3: cut")
    assert combined.raw == "raw"


def test_parts_in_which_the_judge_can_t_tell_don_t_count():
    assert combine_windows(ordinal(), [UNABLE, said(4.0)]).answer == Verdict(4.0)
    assert combine_windows(ordinal(), [UNABLE, UNABLE]).answer == CannotAssess()


def test_parts_with_tied_labels_have_none():
    combined = combine_windows(nominal(), [said("cold"), said("warm")])
    assert combined.answer.cause is Cause.TWO_VERDICTS


def test_lone_surrogates_of_a_judge_can_be_stored():
    assert combine_samples(ordinal(), [said(4.0, "a\ud800b")], {}).rationale == "a\ufffdb"
    assert combine_samples(ordinal(), [broken(raw="\udfff")], {}).raw == "\ufffd"
