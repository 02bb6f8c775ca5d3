"""Repetitions: a whole judge asked several times, every time kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalharness.core.rubric import Criterion, Level, Scale
from evalharness.core.scores import Cause, Failure, Score, Skip, SkipReason
from evalharness.judges.repeated import combine_repetitions
from tests.cli.runner import report, run
from tests.faultd import Faultd
from tests.faultd_acts import Act, Answer, Seen
from tests.protocols.files import outcomes, record, score, settings, values, write_dialogues, write_rubric

LEVELS = tuple(Level(name, value, name) for name, value in (("low", 1.0), ("high", 5.0)))
ORDINAL = Criterion("quality", "How good?", Scale.ORDINAL, LEVELS)
NOMINAL = Criterion("tone", "Which?", Scale.NOMINAL, LEVELS)
FAILED = Failure(Cause.NO_VERDICT, "nothing")
SKIPPED = Skip(SkipReason.CANNOT_ASSESS, "")


def counting(seen: Seen) -> Act:
    """1, 2, 3 … by the number of the request."""
    return Answer(
        text=json.dumps({"quality": {"evidence": [], "rationale": "So.", "value": 1 + seen.number % 5}})
    )


def test_every_repetition_asks_all_members_anew_and_is_kept():
    write_rubric()
    write_dialogues(1)
    with Faultd(counting) as server:
        settings({
            "jury": {"panel": [f"{name}=openai:{name}@{server.url}" for name in ("one", "two")]},
            "thrice": {"repeat": "jury", "times": 3},
        })  # fmt: skip
        assert score("thrice").code == 0
        assert server.count == 6
        row = outcomes("quality")["d0"]
        assert score("thrice", "--update").code == 0
        Path("r").rename("first")
        planned = run(
            "score", "in.jsonl", "-r", "rubric.yaml", "-j", "thrice", "-o", "s", "--dry-run", "--json"
        )
        assert score("thrice").code == 0
        assert server.count == 6, "repetitions are kept in the cache apart from each other"
    assert (planned.json[0]["requests"], planned.json[0]["cached"]) == (0, 6)
    said = [one["value"] for one in row["extra"]["repetitions"]]
    assert row["samples"] == said
    assert row["value"] == pytest.approx(sum(said) / 3)


def test_recordings_say_the_same_every_time():
    write_rubric()
    write_dialogues(1)
    settings({"twice": {"repeat": record("one", "quality", {"d0": 4}), "times": 2}})
    assert score("twice").code == 0
    assert (values("quality"), outcomes("quality")["d0"]["samples"]) == ([4.0], [4.0, 4.0])


@pytest.mark.parametrize(
    ("criterion", "results", "value"),
    [
        (ORDINAL, [Score(1.0), Score(4.0)], 2.5),
        (ORDINAL, [Score(1.0), FAILED], 1.0),
        (ORDINAL, [Score(1.0), SKIPPED], 1.0),
        (NOMINAL, [Score("low"), Score("high"), Score("low")], "low"),
    ],
)
def test_the_value_is_the_mean_or_the_majority(criterion: Criterion, results: list[Any], value: Any):
    found = combine_repetitions(criterion, results)
    assert isinstance(found, Score)
    assert found.value == value


@pytest.mark.parametrize(
    ("criterion", "results", "cause"),
    [
        (NOMINAL, [Score("low"), Score("high")], Cause.TWO_VERDICTS),
        (ORDINAL, [FAILED, FAILED], Cause.NO_VERDICT),
    ],
)
def test_without_a_value_there_is_a_failure_that_keeps_what_was_said(
    criterion: Criterion, results: list[Any], cause: Cause
):
    found = combine_repetitions(criterion, results)
    assert isinstance(found, Failure)
    assert (found.cause, len(found.samples)) == (cause, 2)


def test_what_is_mostly_skipped_is_skipped():
    found = combine_repetitions(ORDINAL, [SKIPPED, SKIPPED, Score(1.0)])
    assert found == Skip(SkipReason.CANNOT_ASSESS, "said by 2 of 3 repetitions")


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ({"repeat": "replay:one.jsonl"}, "needs one judge and a number of times"),
        ({"repeat": "replay:one.jsonl", "times": 0}, "times is 0"),
        ({"repeat": "where", "times": 2}, "gives places"),
        ({"repeat": "jury", "times": 2}, "weighs its members by all items"),
    ],
)
def test_a_wrong_definition_is_one_clear_line(judge: dict[str, Any], said: str):
    write_rubric()
    write_dialogues(1)
    names = [record(name, "quality", {"d0": 4}) for name in ("one", "two")]
    settings({
        "again": judge,
        "where": {"first_failure": names[0]},
        "jury": {"panel": names, "combine": "weighted"},
    })  # fmt: skip
    ran = score("again")
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_a_run_says_how_alike_samples_are_and_takes_no_panel_for_one_judge_asked_again():
    write_rubric()
    write_dialogues(2)
    names = [
        record("a", "quality", {"d0": [4, 4, 5], "d1": [2, 2]}),
        record("b", "quality", {"d0": 1, "d1": 1}),
    ]
    settings({"jury": {"panel": names}})
    judges = ["-j", names[0], "-j", "jury"]
    ran = run("score", "in.jsonl", "-r", "rubric.yaml", *judges, "-o", "r")
    assert ran.code == 0, ran.err
    criteria = {(row["scorer"], row["criterion"]): row for row in report(Path("r"))["criteria"]}
    found = criteria["a", "quality"]["retest"]
    assert found == {"items": 2, "same": 0.5, "sd_within_item": pytest.approx((2 / 3 / 3) ** 0.5)}
    assert ["retest" in row for name, row in criteria.items() if name != ("a", "quality")] == [False] * 3
    said = " ".join(ran.out.split())
    assert "quality · a: two samples of an item are the same in 50 %" in said
    assert said.count("two samples of an item") == 1
    page = Path("r/report.html").read_text(encoding="utf-8")
    assert page.count("<dt>asked again</dt>") == 1
