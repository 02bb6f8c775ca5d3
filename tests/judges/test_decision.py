"""Decision models over both wires: OpenAI's through its SDK, System One against the conformance mock and its faults."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest

from evalharness.core.dialogue import Dialogue, Document, Item, Message, ToolCall
from evalharness.errors import UsageError
from evalharness.judges.decision import native_parts
from evalharness.judges.spec import make_judge
from tests.cli.runner import run
from tests.faultd import Answer, Faultd, Raw, always

mock = pytest.importorskip("jevcompat.mock", reason="no jevcompat: pip install jevcompat")

RUBRIC = """\
rubric: decisions
version: 1
unit: turn
about: "A support agent answers a customer."
criteria:
  helpfulness:
    question: "How far does the reply move the problem forward?"
    scale: ordinal
    levels: {1: "Not.", 2: "A bit.", 3: "Much.", 4: "Solved."}
    pass: ">=3"
  invented:
    question: "Does the reply state facts that nothing supports?"
    scale: binary
    good: no
  topic:
    question: "What is it about?"
    scale: nominal
    levels: {Parcel: "a parcel", Bill: "a bill", Other: ""}
"""
NATIVE = "models:\n  jev-latest: {state: native}\n"
"""Without the fence, which differs from run to run, the mock's fake model answers alike in every run."""
ROWS = 3


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return furnish(tmp_path, monkeypatch)


def furnish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "r.yaml").write_text(RUBRIC)
    (tmp_path / "evalharness.yaml").write_text(NATIVE)
    lines = [
        {"id": f"d{n}", "messages": [{"role": "user", "content": f"Where is parcel {n}?"},
                                     {"role": "assistant", "content": f"It comes on day {n}."}]}
        for n in range(ROWS)
    ]  # fmt: skip
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def score(work: Path, judge: str, out: str = "out", *more: str) -> tuple[int, list[dict[str, Any]]]:
    ran = run("score", "in.jsonl", "--rubric", "r.yaml", "--judge", f"j={judge}", "-o", out, "--quiet", *more)
    rows = (work / out / "scores.jsonl").read_text().splitlines()
    return ran.code, [json.loads(row) for row in rows]


@contextmanager
def jev(*faults: str) -> Iterator[str]:
    """The reference server of the System One wire, with requirements broken on purpose."""
    handler = type("Handler", (mock.Handler,), {"cfg": mock.MockConfig(faults=frozenset(faults))})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"systemone:jev-latest@http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def expected(row: dict[str, Any]) -> float:
    levels = {"no": 0.0, "yes": 1.0}
    return sum(
        p * levels.get(label, 0.0 if label in levels else float(label))
        for label, p in row["probabilities"].items()
    )


def test_a_whole_rubric_is_one_request_and_values_are_expectations(work: Path):
    with jev() as judge:
        code, rows = score(work, judge)
    assert code == 0
    asked = [row for row in rows if row["criterion"] != "_overall"]
    assert len(asked) == 3 * ROWS and all(row["status"] == "scored" for row in asked)
    for row in asked:
        assert sum(row["probabilities"].values()) == pytest.approx(1.0)
        assert row["rationale"] is None and 0 <= row["extra"]["confidence"] <= 1
        if row["criterion"] != "topic":
            assert row["value"] == pytest.approx(expected(row))
    assert {row["value"] for row in asked if row["criterion"] == "topic"} <= {"Parcel", "Bill", "Other"}
    execution = json.loads((work / "out" / "execution.json").read_text())
    assert execution["judges"][0]["attempts"] == ROWS
    report = json.loads((work / "out" / "report.json").read_text())
    assert "without rationale" in json.dumps(report)


UNHARMED = {
    "plain-content-type", "text-errors", "models-404", "auth-x-api-key", "auth-plain", "auth-invalid-403-text",
    "strict-ids", "nfd-keys", "forbid-extra", "string-only-text", "noul-two-sided",
    "noul-needs-instructions", "cap-64", "cap-5-levels", "accept-map-score", "no-usage", "unprefixed-extra",
    "choice-no-confidence", "choice-second", "score-no-legend", "legend-1-based", "score-argmax", "confidence-over",
    "confidence-margin", "500-on-unknown-type", "accept-boolean", "validation-400", "error-flat", "id-leaks",
    "batch-leaks", "order-leaks",
}  # fmt: skip
"""Faults that touch nothing that is read, or requests that are never sent: every score must be that of the sound server."""
FATAL = {"wrong-route", "reject-jev-latest", "auth-rejects-header"}
"""Faults that no further request can get around: the judge stops, and the run can be resumed."""
CAUSES = {
    "no-null-description": "bad_request", "reject-array-state": "bad_request",
}  # fmt: skip
"""Faults with a cause of their own; all others break the wire."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    folder = tmp_path_factory.mktemp("sound")
    with pytest.MonkeyPatch.context() as patch:
        furnish(folder, patch)
        with jev() as judge:
            return values(score(folder, judge)[1])


def values(rows: list[dict[str, Any]]) -> dict[Any, Any]:
    return {(row["dialogue"], row["criterion"]): row["value"] for row in rows if row["status"] == "scored"}


@pytest.mark.parametrize("fault", sorted(mock.FAULTS))
def test_a_broken_server_never_makes_a_score(work: Path, sound: dict[Any, Any], fault: str):
    with jev(fault) as judge:
        code, rows = score(work, judge, "out", "--limit", "1", "--no-cache")
    got = values(rows)
    if fault in FATAL:
        assert (code, rows) == (3, [])
        return
    assert got.items() <= sound.items() or fault.endswith("-leaks"), (
        "a value that the sound server does not give"
    )
    if fault in UNHARMED:
        assert len(got) == 4
    else:
        assert not got
        assert {row["cause"] for row in rows} - {"incomplete"} == {CAUSES.get(fault, "protocol")}


def test_the_openai_wire_gives_probabilities_and_refusals_by_question(work: Path):
    with Faultd(always(Answer())) as server:
        code, rows = score(work, f"decisions:m@{server.url}")
        sent = dict(server.requests[0].asked.body)
    assert code == 0 and all(row["status"] == "scored" for row in rows)
    assert [q["type"] for q in sent["questions"]] == ["score", "predicate", "choice"]
    assert [m["role"] for m in sent["input"]] == ["user"]
    with Faultd(always(Answer(finish="refusal"))) as server:
        _, rows = score(work, f"decisions:m@{server.url}", "refused", "--no-cache")
    causes = {row["criterion"]: row["cause"] for row in rows}
    assert causes == {"helpfulness": "refusal", "invented": None, "topic": None, "_overall": "incomplete"}


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"answers": null}',
        b'{"answers": [{"type": "predicate", "probability": true}]}',
        b'{"answers": [{"type": "score", "probabilities": [{"value": 0, "label": "1", "probability": 1}]}, 1, 2]}',
    ],
)
def test_a_malformed_answer_is_a_failure(work: Path, body: bytes):
    with Faultd(always(Raw(200, body))) as server:
        _, rows = score(work, f"decisions:m@{server.url}", "out", "--limit", "1")
    assert {row["status"] for row in rows} == {"failed"}
    assert {row["cause"] for row in rows} == {"protocol", "incomplete"}


def test_what_the_fake_server_says_is_what_the_sdk_describes():
    from tests.faultd_wires import Asked, Said, answer

    body = {
        "model": "m",
        "input": "x",
        "questions": [
            {"type": "predicate", "name": "a", "instructions": "?"},
            {"type": "score", "name": "b", "instructions": "?", "levels": [{"label": "1"}, {"label": "2"}]},
        ],
    }
    said = answer(Asked("decisions", body), Said(finish="refusal"), 1)
    decision = openai.types.decision.Decision.model_validate(said)
    assert [entry.type for entry in decision.answers] == ["refusal", "score"]


def test_a_dialogue_goes_in_natively_with_its_calls():
    dialogue = Dialogue(
        "d",
        (
            Message("user", "Where?"),
            Message(
                "assistant", "", tool_calls=(ToolCall("track", '{"order": 7}', "c1"), ToolCall("now", "{}"))
            ),
            Message("tool", "Lyon", tool_call_id="c1"),
            Message("tool", "lost", tool_call_id="unknown"),
            Message("assistant", "In Lyon.\u202e"),
        ),
    )
    parts = list(native_parts(Item(dialogue, 4), "transcript"))
    assert [(part.kind, part.call_id) for part in parts] == [
        ("user", ""), ("call", "c1"), ("call", "call_1_2"), ("result", "c1"), ("user", ""), ("assistant", ""),
    ]  # fmt: skip
    assert "\u202e" not in parts[-1].text


def test_what_has_no_native_form_is_not_left_out():
    dialogue = Dialogue("d", (Message("user", "?"), Message("assistant", "!")), context=(Document("facts"),))
    assert next(native_parts(Item(dialogue, 1), "fenced facts")).text == "fenced facts"


def test_a_scale_that_no_question_holds_is_refused_before_anything_is_sent(work: Path):
    wide = RUBRIC + "  share:\n    question: 'How much?'\n    scale: numeric\n    min: 0\n    max: 100\n"
    (work / "r.yaml").write_text(wide)
    from evalharness.data.rubrics import load_rubric

    with pytest.raises(UsageError, match="share"):
        make_judge("systemone:m@http://127.0.0.1:1", load_rubric(str(work / "r.yaml")))


def test_judges_test_explains_a_decision_model(work: Path):
    with jev() as judge:
        ran = run("judges", "test", judge)
    assert ran.code == 0
    assert "a probability for every level" in ran.out
