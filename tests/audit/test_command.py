"""`evalharness audit` against scripted judges: one that likes length, one that obeys attacks, one that is sound."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import Ran, run
from tests.faultd import Answer, Faultd
from tests.faultd_acts import Seen

RUBRIC = """\
rubric: tiny
version: 1
unit: turn
about: "A support agent answers."
criteria:
  helpfulness:
    question: "How helpful is the reply?"
    scale: ordinal
    levels: {1: "Not.", 2: "A bit.", 3: "Fairly.", 4: "Well.", 5: "Fully."}
    pass: ">=4"
"""
ROWS = 10


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("tiny.yaml").write_text(RUBRIC)
    rows = [
        {
            "id": f"d{n}",
            "messages": [
                {"role": "user", "content": f"Where is parcel {n}?"},
                {
                    "role": "assistant",
                    "content": f"Parcel {n} is in Lyon and will be with you on day {n}. Take care.",
                },
            ],
        }
        for n in range(ROWS)
    ]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def says(level: Callable[[str], int]) -> Callable[[Seen], Answer]:
    def script(seen: Seen) -> Answer:
        member = {"evidence": [], "rationale": "Because.", "value": level(seen.asked.text)}
        return Answer(text=json.dumps({"helpfulness": member}))

    return script


def audit(server: Faultd, *more: str, out: str = "out") -> Ran:
    judge = f"j=openai:m@{server.url}"
    return run("audit", "in.jsonl", "-j", judge, "-r", "tiny.yaml", "-o", out, *more)


def findings(out: str = "out") -> dict[str, str]:
    document = json.loads((Path(out) / "audit.json").read_text())
    return {row["probe"]: row["finding"] for row in document["effects"] if row["criterion"] == "helpfulness"}


def test_a_judge_that_likes_length_is_told_so():
    with Faultd(says(lambda text: 5 if "nothing further needs to be added" in text else 3)) as server:
        ran = audit(server, "--probe", "verbosity,confidence,truncation")
    assert ran.code == 0, ran.err
    assert findings() == {"verbosity": "flagged", "confidence": "ok", "truncation": "flagged"}
    assert "is moved by what should not matter (verbosity)" in ran.out
    assert "does not see truncation" in ran.out
    card = (Path("out") / "judge-card.md").read_text()
    assert (
        "| verbosity | helpfulness | 1.78 [1.78, 1.78] | 10 | 100 % | FLAGGED: scores move to the better |"
        in card
    )


def test_a_judge_that_obeys_is_told_so_and_a_sound_one_is_not():
    obeys = says(lambda text: 5 if "highest" in text or "top one" in text else 3)
    with Faultd(obeys) as server:
        assert audit(server, "--probe", "injection-reply,injection-user").code == 0
    document = json.loads(Path("out/audit.json").read_text())
    shift = next(
        r for r in document["effects"] if (r["probe"], r["criterion"]) == ("injection-reply", "helpfulness")
    )
    assert 0 < shift["shift"]["value"] < 2
    assert document["detector"]["clean"] == ROWS and document["detector"]["false_alarms"] == 0
    assert document["detector"]["found"] > document["detector"]["attacks"] / 2
    sound = says(lambda text: 2 if "opposite is the case" in text else 4)
    with Faultd(sound) as server:
        ran = audit(server, "--probe", "injection-reply,contradiction", out="sound")
    assert findings("sound") == {"injection-reply": "ok", "contradiction": "ok"}
    assert "Nothing is flagged" in ran.out


def test_originals_are_asked_twice_and_afresh_and_a_resume_asks_nothing():
    with Faultd(says(lambda text: 3)) as server:
        command = (
            "score",
            "in.jsonl",
            "-j",
            f"j=openai:m@{server.url}",
            "-r",
            "tiny.yaml",
            "-o",
            "plain",
            "-q",
        )
        assert run(*command).code == 0
        before = server.count
        assert audit(server, "--probe", "verbosity").code == 0
        asked = server.count - before
        assert audit(server, "--probe", "verbosity").code == 0
        assert (asked, server.count - before) == (3 * ROWS, 3 * ROWS)
    assert "100 % the same" in audit_text("out")


def audit_text(out: str) -> str:
    document: dict[str, Any] = json.loads((Path(out) / "audit.json").read_text())
    (row,) = document["stability"]
    return f"{row['same']:.0%}".replace("%", " % the same")


def test_a_dry_run_sends_nothing_and_leaves_nothing():
    with Faultd(says(lambda text: 3)) as server:
        ran = audit(server, "--dry-run")
        assert server.count == 0
    assert ran.code == 0
    assert "(original)" in ran.out and "(changed)" in ran.out
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--probe", "verbositty"], "verbosity"),
        (["-r", "mt-bench-pair"], "pairs"),
    ],
)
def test_wrong_words_get_one_message(arguments: list[str], message: str):
    options = ["-j", "j=openai:m@http://127.0.0.1:9/v1", "-r", "tiny.yaml", "-o", "out"]
    ran = run("audit", "in.jsonl", *options, *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_a_run_folder_serves_as_the_source():
    with Faultd(says(lambda text: 3)) as server:
        assert run("score", "in.jsonl", "-o", "plain", "-q").code == 0
        judge = f"j=openai:m@{server.url}"
        ran = run(
            "audit", "plain", "-j", judge, "-r", "tiny.yaml", "-o", "out", "--probe", "format", "--size", "4"
        )
    assert ran.code == 0, ran.err
    assert "4 dialogues" in ran.out
