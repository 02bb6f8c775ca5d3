"""`report --no-text` and `report --redact`: what was planted in every field of a run is in no format of its report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalharness.api.folder import open_run
from evalharness.core.scores import Cause, Evidence, Failure, Score, Skip, SkipReason
from evalharness.data.ledger.store import ItemRef
from tests.cli.runner import run
from tests.report.page_dom import islands, parse, visible_text

FORMATS = ("html", "json", "jsonl", "csv")
FIELDS = (
    "goal", "tool", "schema", "context", "metadata", "nested", "user", "name", "reply", "arguments", "result", "own",
    "reference", "rationale", "quote", "extra", "detail", "raw", "skip", "comment", "spoken",
)  # fmt: skip


def canary(field: str) -> str:
    return f"canary.{field}@example.org"


def dialogue() -> dict[str, object]:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "mail", "arguments": json.dumps({"to": canary("arguments")})},
    }
    return {
        "id": "d1",
        "group": "g1",
        "goal": canary("goal"),
        "tools": [
            {"name": "mail", "description": canary("tool"), "parameters": {"to": {"default": canary("schema")}}}
        ],
        "context": [{"id": "doc", "text": canary("context")}],
        "metadata": {"system": "v2", "owner": canary("metadata"), "deep": {"to": canary("nested")}, "n": 3, "vip": True},
        "messages": [
            {"role": "user", "content": f"I am {canary('user')}", "name": canary("name")},
            {
                "role": "assistant", "id": "m1", "content": canary("reply"), "tool_calls": [call],
                "references": [canary("reference")], "context": [{"text": canary("own")}],
                "metadata": {"spoken": canary("spoken")},
            },
            {"role": "tool", "tool_call_id": "c1", "content": canary("result")},
            {"role": "assistant", "content": "Done."},
            {"role": "assistant", "content": "Bye."},
        ],
    }  # fmt: skip


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose dialogues, outcomes and labels hold a canary in every field that can hold text."""
    monkeypatch.chdir(tmp_path)
    second = {**dialogue(), "id": "d2", "metadata": {"system": "v1", "owner": "someone else", "n": 4}}
    Path("logs.jsonl").write_text(json.dumps(dialogue()) + "\n" + json.dumps(second), encoding="utf-8")
    assert run("score", "logs.jsonl", "-m", "chrf", "--check", "contains:Done", "-o", "run").code == 0
    with open_run("run") as (_, ledger):
        (number, *_) = ledger.scorers()
        width = len(ledger.scorers()[number])
        quote = (Evidence(0, canary("quote"), found=False),)
        score = Score(1.0, rationale=canary("rationale"), evidence=quote, extra={"why": canary("extra")})
        with ledger.transaction():
            ledger.put(number, ItemRef(1, 1), [score] * width)
            ledger.put(
                number,
                ItemRef(1, 3),
                [Failure(Cause.NO_VERDICT, canary("detail"), canary("raw"), extra={"said": canary("extra")})]
                * width,
            )
            ledger.put(number, ItemRef(1, 4), [Skip(SkipReason.CANNOT_ASSESS, canary("skip"))] * width)
    Path("labels.csv").write_text(
        "dialogue,turn,criterion,rater,value,comment\n"
        + "".join(
            f"d1,1,chrf,{rater},{value},{canary('comment')}\n" for rater, value in (("a", 1), ("b", 90))
        )
        + "d2,1,chrf,a,100,\nd2,3,chrf,a,5,\n"
    )
    return tmp_path


def rendered(name: str, *more: str) -> str:
    ran = run("report", "run", "-f", name, "-o", f"out.{name}", *more)
    assert ran.code == 0, ran.err
    text = Path(f"out.{name}").read_text(encoding="utf-8")
    return text + json.dumps(islands(text)) if name == "html" else text


def found(text: str) -> set[str]:
    return {field for field in FIELDS if canary(field) in text or f"canary.{field}" in text}


def test_the_plain_report_holds_what_was_planted(planted: Path) -> None:
    assert found(rendered("html")) >= set(FIELDS) - {"comment"}
    assert found(rendered("jsonl")) == {"rationale", "quote", "extra", "detail", "raw", "skip"}


@pytest.mark.parametrize("name", FORMATS)
def test_no_text_leaves_everything_out_but_ids_and_values(planted: Path, name: str) -> None:
    assert run("agree", "run", "--labels", "labels.csv", "--scale", "any").code == 0
    text = rendered(name, "--no-text")
    assert found(text) == set()
    assert "someone else" not in text
    assert "Done." not in text
    if name != "json":
        assert "d1" in text


def test_without_text_the_page_still_has_its_figures_and_places(planted: Path) -> None:
    plain, bare = (rendered("html", *more) for more in ((), ("--no-text",)))
    seen = " ".join(visible_text(parse(bare)).split())
    assert "Dialogue text was left out" in seen
    data, full = (islands(text)["run-index"] for text in (bare, plain))
    assert data["textless"] is True
    assert full["textless"] is False
    for slim, whole in zip(data["dialogues"], full["dialogues"], strict=True):
        assert slim[0] == whole[0]
        assert [item[0] for item in slim[7]] == [item[0] for item in whole[7]]
        assert [item[2] for item in slim[7]] == [item[2] for item in whole[7]]


@pytest.mark.parametrize("name", FORMATS)
def test_redact_masks_every_format(planted: Path, name: str) -> None:
    text = rendered(name, "--redact")
    assert found(text) == set()
    if name in ("html", "jsonl"):
        assert "[EMAIL-" in text


def test_redact_keeps_one_name_for_one_thing_in_dialogue_and_outcome(planted: Path) -> None:
    with open_run("run") as (_, ledger):
        (number, *_) = ledger.scorers()
        width = len(ledger.scorers()[number])
        ledger.put(number, ItemRef(1, 1), [Score(1.0, rationale=f"names {canary('user')}")] * width)
    page = islands(rendered("html", "--redact"))
    record = next(block[0] for name, block in page.items() if name.startswith("block"))
    place = record["d"]["messages"][0]["content"].removeprefix("I am ")
    assert place.startswith("[EMAIL-")
    assert any(f"names {place}" in json.dumps(fact) for fact in record["o"])


def test_what_was_masked_is_said(planted: Path) -> None:
    ran = run("report", "run", "--redact", "--redact-pattern", "WORD=Done|Bye")
    assert ran.code == 0
    assert "masked: " in ran.out
    assert "WORD" in ran.out
    seen = " ".join(visible_text(parse(Path("run/report.html").read_text(encoding="utf-8"))).split())
    assert "Masked: " in seen
    assert "the run folder holds the originals" in seen


def test_the_run_itself_stays_as_it_is(planted: Path) -> None:
    before = Path("run/scores.jsonl").read_bytes()
    rendered("jsonl", "--redact")
    rendered("html", "--no-text")
    assert Path("run/scores.jsonl").read_bytes() == before
    assert found(rendered("html")) >= set(FIELDS) - {"comment"}
