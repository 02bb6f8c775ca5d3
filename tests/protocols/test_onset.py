"""First failing turns: where a walk ends, what is unknown, and agreement with labelled onsets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import DATASETS, run, scores
from tests.faultd import Faultd
from tests.protocols.files import QUALITY, TONE, outcomes, score, settings, write_rubric

TWO = (
    QUALITY
    + """\
  polite:
    question: "Is the reply polite?"
    scale: binary
    good: yes
"""
)


def write(replies: Mapping[str, int], *, given: int = 0) -> None:
    """Dialogues with so many replies each, the first ``given`` of them history."""
    lines = []
    for name, count in replies.items():
        messages: list[dict[str, Any]] = []
        for number in range(count):
            messages.append({"role": "user", "content": f"q{number}"})
            history = {"given": True} if number < given else {}
            messages.append({"role": "assistant", "content": f"r{number} of {name}", **history})
        lines.append(json.dumps({"id": name, "messages": messages}))
    Path("in.jsonl").write_text("\n".join(lines) + "\n")


def record(**by_criterion: Mapping[str, Sequence[Any]]) -> None:
    """Recorded answers by criterion and dialogue, one per reply (None: not recorded), and the judge that walks."""
    rows = [
        {"dialogue": name, "turn": 2 * number + 1, "criterion": criterion, "outputs": [said]}
        for criterion, dialogues in by_criterion.items()
        for name, outputs in dialogues.items()
        for number, said in enumerate(outputs)
        if said is not None
    ]
    Path("v.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings({"onset": {"first_failure": "replay:v.jsonl"}})


def found(criterion: str = "first_failure") -> dict[str, Any]:
    ran = score("onset")
    assert ran.code == 0, ran.err
    return {name: row["value"] for name, row in outcomes(criterion).items()}


def test_the_number_of_the_first_failing_reply_is_told_with_its_message():
    write_rubric()
    write({"a": 3, "b": 3, "c": 1})
    record(quality={"a": [5, "It is quite rude. Rating: 2", 1], "b": [4, 4, 5], "c": [1]})
    assert found() == {"a": 2.0, "b": 0.0, "c": 1.0}
    row = outcomes("first_failure")["a"]
    assert row["rationale"] == "reply 2 [M3], quality 2: It is quite rude. Rating: 2"
    assert row["evidence"] == [{"message": 3, "quote": "", "found": True}]
    assert (row["extra"]["turn"], row["extra"]["values"]) == (3, [5.0, 2.0])
    assert [outcomes("_overall")[name]["value"] for name in "abc"] == [0.0, 1.0, 0.0]
    assert row["rubric"] == "first_failure of tiny"


def test_every_criterion_has_its_own_place_and_the_earliest_is_the_dialogues():
    write_rubric(TWO)
    write({"a": 3})
    record(quality={"a": [5, 5, 1]}, polite={"a": ["yes", "no", "yes"]})
    assert found() == {"a": 2.0}
    assert outcomes("first_failure")["a"]["extra"]["criterion"] == "polite"
    assert outcomes("first_failure.quality")["a"]["value"] == 3.0
    assert outcomes("first_failure.polite")["a"]["value"] == 2.0


def test_a_reply_without_a_verdict_before_the_failing_one_leaves_the_place_unknown():
    write_rubric()
    write({"early": 3, "late": 3})
    record(quality={"early": [5, "Hm.", 1], "late": [1, "Hm.", 1]})
    score("onset")
    assert outcomes("first_failure")["late"]["value"] == 1.0
    row = outcomes("first_failure")["early"]
    assert (row["status"], row["cause"]) == ("failed", "no_verdict")
    assert row["detail"].startswith("reply 2: ")


def test_an_unknown_criterion_hides_only_what_comes_after_it():
    write_rubric(TWO)
    write({"a": 3, "b": 3})
    record(
        quality={"a": [5, "Hm.", 5], "b": ["Hm.", 5, 5]},
        polite={"a": ["no", "yes", "yes"], "b": ["yes", "no", "yes"]},
    )
    score("onset")
    assert outcomes("first_failure")["a"]["value"] == 1.0
    assert outcomes("first_failure")["b"]["cause"] == "no_verdict"


def test_given_replies_are_numbered_and_not_judged():
    write_rubric()
    write({"a": 3}, given=1)
    record(quality={"a": [1, 5, 1]})
    assert found() == {"a": 3.0}


def test_nothing_is_asked_behind_the_failing_reply():
    write_rubric()
    write({"a": 6})
    with Faultd() as server:
        settings({"onset": {"first_failure": f"openai:m@{server.url}"}})
        assert score("onset").code == 0
        row = outcomes("first_failure")["a"]
        assert server.count == (6 if row["value"] == 0 else row["value"])


@pytest.mark.parametrize(
    ("rubric", "said"),
    [("safety", "judges dialogues"), (TONE, "says what a failing reply is")],
)
def test_a_rubric_without_turns_or_rules_is_refused(rubric: str, said: str):
    write({"a": 1})
    record(quality={"a": [1]})
    ran = score("onset", rubric=write_rubric(rubric) if "\n" in rubric else rubric)
    assert (ran.code, said in ran.err) == (2, True), ran.err


def test_agreement_with_labelled_onsets_exact_and_within_one():
    write_rubric()
    write(dict.fromkeys("abcd", 4))
    record(quality={"a": [5, 1, 5, 5], "b": [5, 5, 5, 1], "c": [1, 5, 5, 5], "d": [5, 5, 5, 5]})
    found()
    Path("labels.csv").write_text(
        "dialogue,criterion,rater,value\n"
        "a,first_failure,ann,2\nb,first_failure,ann,3\nc,first_failure,ann,3\nd,first_failure,ann,0\n"
        "c,first_failure,bob,2\n"
    )
    ran = run("agree", "r", "--labels", "labels.csv", "--statistic", "exact,within_one", "--json")
    assert ran.code == 0, ran.err
    rows = {
        row["statistic"]: row["value"]
        for row in ran.json["rows"]
        if row["scorer"] == "onset" and row["statistic"] in ("exact", "within_one")
    }
    assert rows == {"exact": 0.5, "within_one": (1 + 1 + 0.5 + 1) / 4}
    missed = run("agree", "r", "-l", "labels.csv", "--require", "first_failure:exact>=.9")
    assert missed.code == 1


def test_the_sample_onsets_are_those_of_the_dialogues():
    lines = (DATASETS / "onsets-by-construction.csv").read_text().splitlines()[1:]
    labelled = {line.split(",")[0]: int(line.split(",")[3]) for line in lines}
    for name in ("sample", "degraded"):
        for text in (DATASETS / f"{name}.jsonl").read_text().splitlines():
            dialogue = json.loads(text)
            turn = dialogue["metadata"].get("degraded_turn")
            upto = [] if turn is None else dialogue["messages"][: turn + 1]
            assert labelled.pop(dialogue["id"]) == sum(m["role"] == "assistant" for m in upto)
    assert not labelled


def test_perfect_verdicts_find_the_sample_onsets():
    """Recorded verdicts that fail the changed reply alone agree with the sample's onsets exactly."""
    write_rubric()
    rows = []
    for name in ("sample", "degraded"):
        for text in (DATASETS / f"{name}.jsonl").read_text().splitlines():
            dialogue = json.loads(text)
            bad = dialogue["metadata"].get("degraded_turn")
            for turn, message in enumerate(dialogue["messages"]):
                if message["role"] == "assistant" and not message.get("given"):
                    value = 1 if turn == bad else 5
                    rows.append(
                        {"dialogue": dialogue["id"], "turn": turn, "criterion": "quality", "outputs": [value]}
                    )
    Path("v.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings({"onset": {"first_failure": "replay:v.jsonl"}})
    sources = [DATASETS / "sample.jsonl", DATASETS / "degraded.jsonl"]
    assert run("score", *sources, "-r", "rubric.yaml", "-j", "onset", "-o", "r", "-q").code == 0
    assert len({row["dialogue"] for row in scores(Path("r"))}) == 112
    labels = DATASETS / "onsets-by-construction.csv"
    ran = run("agree", "r", "-l", labels, "--require", "first_failure:exact>=1", "-q")
    assert ran.code == 0, ran.err
