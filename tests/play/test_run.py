"""`evalharness run` against real processes, a real server and functions, sound and broken."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runner import DATASETS, Ran, run

SCENARIOS = """\
scenarios:
  - id: first
    goal: a goal
    system: "You are a bot."
    user: ["one", "two"]
    references: {2: ["echo two"]}
    metadata: {lang: en}
  - id: second
    user: "three"
"""
BOT = """\
import json, os, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    said = asked["messages"][-1]["content"]
    {body}
    print(json.dumps(reply), flush=True)
"""


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(SCENARIOS)
    return tmp_path


def bot(body: str) -> str:
    Path("bot.py").write_text(BOT.format(body=body))
    return f"{sys.executable} bot.py"


def play(target: str, *more: str, out: str = "out.jsonl") -> Ran:
    return run("run", "s.yaml", "--target", target, "--out", out, *more)


def dialogues(out: str = "out.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(out).read_text().splitlines()]


def failures(out: str = "out.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(f"{out}.failures").read_text().splitlines()]


def test_a_command_is_told_the_conversation_and_its_replies_are_kept():
    ran = play(bot('reply = {"content": f"echo {said}, {len(asked[\'messages\'])}"}'), "--set", "system=v2")
    assert ran.code == 0, ran.err
    first, second = dialogues()
    assert [m["role"] for m in first["messages"]] == ["system", "user", "assistant", "user", "assistant"]
    assert [m["content"] for m in first["messages"] if m["role"] == "assistant"] == [
        "echo one, 2",
        "echo two, 4",
    ]
    assert first["messages"][4]["references"] == ["echo two"]
    assert (first["group"], first["goal"], first["metadata"]) == (
        "first",
        "a goal",
        {"lang": "en", "trial": 1, "system": "v2"},
    )
    assert second["messages"][-1]["content"] == "echo three, 1"
    assert not Path("out.jsonl.journal").exists() and not Path("out.jsonl.failures").exists()
    scored = run("score", "out.jsonl", "-o", "scored", "-q")
    assert scored.code == 0, scored.err


def test_tool_calls_and_results_are_recorded():
    call = {"id": "c1", "type": "function", "function": {"name": "track", "arguments": '{"n": 7}'}}
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "Lyon"},
        {"role": "assistant", "content": "In Lyon."},
    ]
    ran = play(bot(f"reply = {{'messages': json.loads({json.dumps(json.dumps(messages))})}}"))
    assert ran.code == 0, ran.err
    said = dialogues()[1]["messages"]
    assert said[1]["tool_calls"][0]["function"] == {"name": "track", "arguments": '{"n": 7}'}
    assert (said[2]["role"], said[2]["content"], said[3]["content"]) == ("tool", "Lyon", "In Lyon.")


def test_trials_are_dialogues_of_one_group():
    ran = play(
        bot('reply = {"content": str(asked["trial"])}'), "--trials", "3", "--concurrency", "3", "--json"
    )
    assert ran.json == {"out": "out.jsonl", "dialogues": 6, "failed": {}, "left": 0}
    rows = dialogues()
    assert [row["id"] for row in rows] == [f"{name}#{n}" for name in ("first", "second") for n in (1, 2, 3)]
    assert {row["group"] for row in rows} == {"first", "second"}
    assert [row["messages"][-1]["content"] for row in rows] == ["1", "2", "3"] * 2


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("os._exit(3)", "crashed"),
        ("raise ValueError(said)", "crashed"),
        ("time.sleep(60)", "timeout"),
        ("reply = {'text': said}", "bad_reply"),
        ("reply = 7", "bad_reply"),
        ("reply = {'error': 'no'}", "bad_reply"),
        ("reply = {'messages': []}", "bad_reply"),
        ("reply = {'messages': [{'role': 'user', 'content': 'x'}]}", "bad_reply"),
        ("print('not json', flush=True); continue", "bad_reply"),
    ],
)
def test_a_failing_command_is_a_failure_with_its_cause(body: str, cause: str):
    ran = play(bot(f"if said == 'two':\n        {body}\n    else:\n        reply = said"), "--timeout", "1")
    assert ran.code == 3
    assert [row["id"] for row in dialogues()] == ["second"]
    assert failures() == [{**failures()[0], "scenario": "first", "trial": 1, "user_turn": 2, "cause": cause}]
    assert f"{cause}:" in ran.err


def test_the_same_command_plays_only_what_failed():
    counting = "open('count', 'a').write(said + ' '); "
    broken = bot(counting + "reply = said if said != 'two' else 7")
    assert play(broken).code == 3
    assert play(bot(counting + "reply = said")).code == 0
    assert Path("count").read_text().split().count("three") == 1
    assert len(dialogues()) == 2
    assert not Path("out.jsonl.failures").exists()


def test_a_changed_scenario_is_played_anew_and_a_torn_journal_line_is_left_out():
    broken = bot("reply = said if said != 'two' else 7")
    assert play(broken).code == 3
    journal = Path("out.jsonl.journal")
    journal.write_bytes(journal.read_bytes() + b'{"key": "torn')
    Path("s.yaml").write_text(SCENARIOS.replace("three", "four").replace('"two"', '"six"'))
    assert play(broken).code == 0
    assert [row["messages"][-1]["content"] for row in dialogues()] == ["six", "four"]


def test_a_command_that_is_not_there():
    ran = play("no-such-program-anywhere")
    assert ran.code == 3
    assert "can't be started" in ran.err


def test_functions_plain_and_async(monkeypatch: pytest.MonkeyPatch):
    Path("my_target_module.py").write_text(
        "async def later(messages):\n    return {'content': messages[-1]['content'].upper()}\n"
        "def plain(messages):\n    return messages[-1]['content'] + '!'\n"
        "def broken(messages):\n    raise RuntimeError('secret text')\n"
    )
    assert play("my_target_module:later").code == 0
    assert dialogues()[1]["messages"][-1]["content"] == "THREE"
    assert play("my_target_module:plain", out="b.jsonl").code == 0
    assert dialogues("b.jsonl")[1]["messages"][-1]["content"] == "three!"
    ran = play("my_target_module:broken", out="c.jsonl")
    assert ran.code == 3
    assert "RuntimeError" in ran.err and "secret text" not in ran.err
    assert play("my_target_module:nothing", out="d.jsonl").code == 2


@contextmanager
def server(answer: Any, status: int = 200) -> Iterator[tuple[str, list[tuple[str, dict[str, Any], str]]]]:
    seen: list[tuple[str, dict[str, Any], str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, body, self.headers.get("Authorization", "")))
            data = json.dumps(answer(body) if callable(answer) else answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{made.server_port}", seen
        finally:
            made.shutdown()
            thread.join()


def test_a_chat_server(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-openai")

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        return {"choices": [{"message": {"role": "assistant", "content": body["model"]}}]}

    with server(answer) as (address, seen):
        ran = play(f"{address}/v1", "--model", "my-bot")
    assert ran.code == 0, ran.err
    assert dialogues()[1]["messages"][-1]["content"] == "my-bot"
    assert {path for path, _, _ in seen} == {"/v1/chat/completions"}
    assert all("key-of-openai" not in held for _, _, held in seen), "a key goes to its own host only"


def test_another_api_by_template_whose_values_are_never_read_again():
    Path("t.json").write_text(
        '{"body": {"q": "$last", "deep": [{"s": "$scenario"}], "x": "$messages"}, "reply": "a.0"}'
    )
    Path("s.yaml").write_text('scenarios:\n  - id: "$last"\n    user: "$messages"\n')
    with server(lambda body: {"a": [body["q"] + "|" + body["deep"][0]["s"]]}) as (address, seen):
        ran = play(address, "--template", "t.json")
    assert ran.code == 0, ran.err
    assert dialogues()[0]["messages"][-1]["content"] == "$messages|$last"
    assert seen[0][1]["x"] == [{"role": "user", "content": "$messages"}]


@pytest.mark.parametrize(
    ("answer", "status", "cause"),
    [({}, 500, "http_error"), ({"choices": []}, 200, "bad_reply"), ({}, 302, "http_error")],
)
def test_a_failing_server_is_a_failure(answer: Any, status: int, cause: str):
    with server(answer, status) as (address, _):
        assert play(address).code == 3
    assert {row["cause"] for row in failures()} == {cause}
    assert dialogues() == []


def test_a_dead_server_is_a_failure():
    assert play("http://127.0.0.1:9").code == 3
    assert {row["cause"] for row in failures()} == {"connection"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scenarios:\n  - id: a\n", "s.yaml:2"),
        ("scenarios:\n  - id: a\n    user: x\n  - id: a\n    user: y\n", "s.yaml:4"),
        ("scenarios:\n  - id: a\n    usr: x\n", "user"),
        ("scenarios: 3\n", "scenarios"),
        ("scenarios:\n  - id: a\n    user: [1]\n", "list of texts"),
        ("scenarios:\n  - id: a\n    user: x\n    references: {0: y}\n", "from 1"),
    ],
)
def test_bad_scenarios_are_named_with_their_line(text: str, message: str):
    Path("s.yaml").write_text(text)
    ran = play("true")
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_json_lines_and_the_samples_of_the_project():
    Path("s.jsonl").write_text('{"id": 7, "user": "hello"}\n\n')
    target = bot("reply = said")
    assert run("run", "s.jsonl", "--target", target, "--out", "out.jsonl").code == 0
    assert dialogues()[0]["id"] == "7"
    sample = f"{sys.executable} {DATASETS / 'example_bot.py'}"
    ran = run("run", DATASETS / "scenarios.yaml", "--target", sample, "--out", "sample.jsonl")
    assert ran.code == 0, ran.err
    assert dialogues("sample.jsonl")[0]["messages"][-1]["content"] == "It will be with you on Thursday."
