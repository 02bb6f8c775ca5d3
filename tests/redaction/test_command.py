"""`score --redact`: what was planted reaches neither the judge, nor a file, nor the terminal."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import Ran, report, run, scores
from tests.faultd import Faultd, Seen, Status

PLANTED = {
    "content": "ada.content@example.org",
    "phone": "+90 532 765 43 21",
    "call": "5555 5555 5555 4444",
    "result": "DE89 3704 0044 0532 0130 00",
    "context": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "reference": "ada.reference@example.org",
    "goal": "ada.goal@example.org",
    "metadata": "ada.metadata@example.org",
    "tool": "ada.tool@example.org",
    "name": "ada.name@example.org",
    "custom": "C-204577",
}
DIALOGUE: dict[str, Any] = {
    "id": "d1",
    "goal": f"write to {PLANTED['goal']}",
    "tools": [{"name": "mail", "description": f"writes to {PLANTED['tool']}", "parameters": {}}],
    "context": [{"text": f"token {PLANTED['context']}"}],
    "metadata": {"owner": PLANTED["metadata"], "lang": "tr"},
    "messages": [
        {
            "role": "user",
            "name": PLANTED["name"],
            "content": f"I am {PLANTED['content']}, {PLANTED['phone']}.",
        },
        {
            "role": "assistant",
            "content": f"Thanks, {PLANTED['custom']}.",
            "references": [f"Write to {PLANTED['reference']}."],
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "mail", "arguments": json.dumps({"card": PLANTED["call"]})},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": json.dumps({"iban": PLANTED["result"]})},
        {"role": "assistant", "content": f"Done. {PLANTED['phone']} it is; order 4471-2290."},
    ],
}
HARMLESS = {
    "id": "d2",
    "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}],
}
CUSTOM = "CUSTOMER=C-[0-9]{6}"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("EVALHARNESS_KEY_127_0_0_1", "test-key")
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps(DIALOGUE), json.dumps(HARMLESS)]
    Path("logs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def server() -> Iterator[Faultd]:
    with Faultd() as running:
        yield running


def score(server: Faultd, *more: str, out: str = "run") -> Ran:
    return run(
        "score", "logs.jsonl", "-r", "support-reply", "-j", f"j=openai:m@{server.url}", "-m", "bleu", "-o", out, *more
    )  # fmt: skip


def leaks(*texts: bytes) -> list[str]:
    return [name for name, item in PLANTED.items() if any(item.encode() in text for text in texts)]


def files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "logs.jsonl"]


def test_planted_items_are_in_the_requests_without_masking(server: Faultd) -> None:
    assert score(server).code == 0
    sent = {"content", "phone", "call", "result", "context", "custom"}
    assert sent <= set(leaks(server.bodies))


def test_nothing_planted_leaves_or_is_stored(server: Faultd, alone: Path) -> None:
    ran = score(server, "--redact", "--redact-pattern", CUSTOM, "--log-file", "run.log")
    assert ran.code == 0, ran.err
    assert server.count >= 3
    assert b"[EMAIL-" in server.bodies and b"order 4471-2290" in server.bodies
    assert leaks(server.bodies) == []
    assert leaks(*files(alone)) == []
    assert leaks(ran.out.encode(), ran.err.encode()) == []
    written = {path.name for path in alone.rglob("*") if path.is_file()}
    assert {"run.log", "run.sqlite", "report.html", "scores.jsonl", "report.json"} <= written
    assert any(path.is_file() for path in (alone / "cache").rglob("*"))


def test_what_was_masked_is_counted(server: Faultd) -> None:
    ran = score(server, "--redact", "--redact-pattern", CUSTOM)
    counted = report(Path("run"))["run"]["redacted"]
    assert counted == {
        "dialogues": 1,
        "masked": {"CARD": 1, "CUSTOMER": 1, "EMAIL": 6, "IBAN": 1, "KEY": 1, "PHONE": 2},
    }
    assert "masked: 1 CARD, 1 CUSTOMER, 6 EMAIL, 1 IBAN, 1 KEY, 2 PHONE" in ran.out.replace("\n", " ")
    assert "Masked: 1 CARD" in Path("run/report.html").read_text(encoding="utf-8")


def test_the_map_is_written_only_when_asked_and_is_private(server: Faultd, alone: Path) -> None:
    assert score(server, "--redact-map", "map.jsonl").code == 0
    path = alone / "map.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    known = {
        (row["dialogue"], row["text"]): row["placeholder"]
        for row in map(json.loads, path.read_text().splitlines())
    }
    assert known["d1", PLANTED["phone"]] == "[PHONE-1]"
    assert ("d1", PLANTED["custom"]) not in known
    path.unlink()
    assert "custom" in leaks(*files(alone))
    assert set(leaks(*files(alone))) == {"custom"}


def test_verdicts_of_masked_and_unmasked_text_are_never_mixed(server: Faultd) -> None:
    assert score(server, out="plain").code == 0
    asked = server.count
    assert score(server, "--redact", out="masked").code == 0
    again = server.count - asked
    assert again >= 2  # both replies of the first dialogue; the harmless one comes from the cache
    assert score(server, "--redact", out="once-more").code == 0
    assert server.count == asked + again


def test_a_resume_must_mask_alike(server: Faultd) -> None:
    assert score(server, "--redact").code == 0
    assert score(server, "--redact").code == 0
    for more in ([], ["--redact", "--redact-pattern", CUSTOM]):
        ran = score(server, *more)
        assert ran.code == 2
        assert "--redact" in ran.err
    assert score(server, out="plain").code == 0
    ran = score(server, "--redact", "--update", out="plain")
    assert ran.code == 2
    assert "masked otherwise" in ran.err


def test_metrics_compare_masked_replies_with_masked_references(server: Faultd) -> None:
    Path("logs.jsonl").write_text(
        json.dumps(
            {
                "id": "d",
                "messages": [
                    {"role": "user", "content": "Whom?"},
                    {"role": "assistant", "content": "Write to a@x.org", "references": ["Write to a@x.org"]},
                ],
            }
        )
    )
    assert run("score", "logs.jsonl", "-m", "bleu", "--redact", "-o", "run").code == 0
    assert scores(Path("run"))[0]["value"] == pytest.approx(100.0)


def test_rejected_lines_and_their_problems_are_masked(server: Faultd, alone: Path) -> None:
    bad = json.dumps({"id": "x", "messages": [{"role": PLANTED["content"], "content": PLANTED["phone"]}]})
    with Path("logs.jsonl").open("a", encoding="utf-8") as out:
        out.write(bad + "\n")
    refused = score(server, "--redact")
    assert refused.code == 2
    assert leaks(refused.err.encode()) == []
    assert score(server, "--redact", "--redact-pattern", CUSTOM, "--skip-bad-lines").code == 0
    assert "[PHONE-1]" in (alone / "run" / "rejected.jsonl").read_text()
    assert leaks(*files(alone)) == []


def test_ids_are_not_masked_and_that_is_told(server: Faultd) -> None:
    Path("logs.jsonl").write_text(json.dumps({**HARMLESS, "id": "ada@example.org"}) + "\n")
    assert score(server, "--redact").code == 0
    notes = report(Path("run"))["run"]["notes"]
    assert notes == [{"note": "the id looks like personal data or a secret; ids are not masked", "count": 1}]
    assert b"ada@example.org" not in server.bodies


def test_what_the_judge_writes_is_its_own(alone: Path) -> None:
    """A provider that echoes its request can only echo placeholders."""

    def echo(seen: Seen) -> Status:
        return Status(400, "invalid_request_error", f"bad input: {seen.asked.text}")

    with Faultd(echo) as server:
        score(server, "--redact", "--redact-pattern", CUSTOM)
        assert leaks(server.bodies, *files(alone)) == []


def test_settings_may_hold_the_patterns(server: Faultd) -> None:
    Path("evalharness.yaml").write_text(f"score:\n  redact: true\n  redact-pattern: ['{CUSTOM}']\n")
    assert score(server).code == 0
    assert leaks(server.bodies) == []


def test_pieces_count_together(server: Faultd) -> None:
    many = [json.dumps({**DIALOGUE, "id": f"d{number}"}) for number in range(8)]
    Path("logs.jsonl").write_text("\n".join(many), encoding="utf-8")
    assert score(server, "--redact", "--shard", "1/2", out="one").code == 0
    assert score(server, "--redact", "--shard", "2/2", out="two").code == 0
    assert run("runs", "merge", "one", "two", "--out", "all").code == 0
    assert report(Path("all"))["run"]["redacted"]["masked"]["EMAIL"] == 48


def test_bad_patterns_are_usage_errors(server: Faultd) -> None:
    for entry in ("oops", "EMAIL=x", "A=("):
        ran = score(server, "--redact-pattern", entry)
        assert ran.code == 2
        assert "Traceback" not in ran.err
    ran = score(server, "--redact-pattern", "A=x", "--redact-pattern", "a=y")
    assert ran.code == 2
    assert "given twice" in ran.err
    assert server.count == 0


def test_pairwise_masks_as_score_does(server: Faultd, alone: Path) -> None:
    for name in ("old", "new"):
        Path(f"{name}.jsonl").write_text(json.dumps(DIALOGUE) + "\n", encoding="utf-8")
    ran = run(
        "pairwise", "old.jsonl", "new.jsonl", "-r", "mt-bench-pair", "-j", f"j=openai:m@{server.url}", "-o", "out",
        "--redact", "--redact-pattern", CUSTOM,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "masked: 2 CARD" in ran.err
    assert b"[EMAIL-" in server.bodies
    assert leaks(server.bodies) == []
    assert leaks(*(path.read_bytes() for path in Path("out").iterdir())) == []
