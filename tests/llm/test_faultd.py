"""The test double itself: deterministic, equal on every wire, counting everything."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.llm.client import Reply, Request
from tests.faultd import RETRYABLE, Answer, Break, Faultd, Raw, Seen, Status, always, mixed
from tests.faultd_wires import Chooser, instance_of
from tests.llm.doubles import KINDS, SCHEMA, ask, client_of, outcome, run

schemas: st.SearchStrategy[dict[str, Any]] = st.deferred(
    lambda: st.one_of(
        st.builds(
            lambda values: {"enum": values},
            st.lists(st.integers() | st.text(max_size=3), min_size=1, max_size=5),
        ),
        st.builds(lambda value: {"const": value}, st.text(max_size=3)),
        st.builds(
            lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span},
            st.integers(-9, 9),
            st.integers(0, 9),
        ),
        st.sampled_from([{"type": kind} for kind in ("string", "boolean", "number", "null")]),
        st.just({"type": ["string", "null"]}),
        st.builds(lambda items: {"type": "array", "items": items}, schemas),
        st.builds(lambda options: {"anyOf": options}, st.lists(schemas, min_size=1, max_size=3)),
        st.builds(
            lambda parts: {
                "type": "object",
                "properties": parts,
                "required": list(parts),
                "additionalProperties": False,
            },
            st.dictionaries(st.text(max_size=3), schemas, max_size=3),
        ),
    )
)


@given(schemas, st.text(max_size=5))
def test_fake_verdicts_follow_the_schema(schema: dict[str, Any], key: str) -> None:
    value = instance_of(schema, Chooser(key), "$")
    jsonschema.validate(value, schema)
    assert value == instance_of(schema, Chooser(key), "$")


def test_all_levels_occur() -> None:
    values = {json.dumps(instance_of(SCHEMA, Chooser(str(at)), "$")["score"]) for at in range(60)}
    assert values == {"1", "2", "3", "4", "5"}


def text_of(kind: str, request: Request, **settings: Any) -> str:
    with Faultd(**settings) as server:
        reply = outcome(kind, server.root, request)
    assert isinstance(reply, Reply)
    return reply.text


def test_equal_questions_get_equal_verdicts_on_every_wire_and_whatever_the_fence() -> None:
    def request(fence: str) -> Request:
        return Request("judge", f"<{fence}>\n[row 7] hello\n</{fence}>", f"rate {fence}", schema=SCHEMA)

    texts = {
        text_of(kind, request(fence)) for kind in KINDS for fence in ("0123456789abcdef", "fedcba98765432100")
    }
    assert len(texts) == 1


def test_the_judge_number_changes_verdicts_and_the_seed_does_not() -> None:
    assert len({text_of("chat", ask(), judge=number) for number in range(5)}) > 1
    assert len({text_of("chat", ask(), seed=number) for number in range(3)}) == 1


def test_faults_depend_on_seed_row_and_attempt_alone() -> None:
    def plan(seed: int) -> list[str]:
        script = mixed(RETRYABLE, 0.5)
        with Faultd(seed=seed) as server:
            for row in ("a", "b", "c", "a", "b", "a"):
                body = {"messages": [{"role": "user", "content": f"[row {row}]"}]}
                httpx2.post(f"{server.url}/chat/completions", json=body)
            return sorted(f"{seen.row}{seen.attempt}{script(seen)}" for seen in server.requests)

    assert plan(1) == plan(1)
    assert plan(1) != plan(2)


def test_mixed_faults_have_their_share_and_end() -> None:
    with Faultd() as server:
        httpx2.post(f"{server.url}/chat/completions", json={"messages": [{"role": "user", "content": "x"}]})
        first = server.requests[0]
    script = mixed(RETRYABLE, 0.3, longest=3)

    def seen(row: int, attempt: int) -> Seen:
        return Seen(1, "", {}, b"", first.asked, str(row), attempt, 0, 0, False)

    faults = sum(not isinstance(script(seen(row, 1)), Answer) for row in range(2000))
    assert 500 < faults < 700
    assert all(isinstance(script(seen(row, 4)), Answer) for row in range(200))


def test_requests_and_attempts_are_counted() -> None:
    async def main() -> None:
        client = client_of("chat", server.root)
        for row in ("a", "b", "a"):
            await client.complete(ask(row))
        await client.close()

    with Faultd() as server:
        run(main)
        assert (server.count, server.attempts["a"], server.attempts["b"]) == (3, 2, 1)
        assert [(seen.row, seen.attempt) for seen in server.requests] == [("a", 1), ("b", 1), ("a", 2)]
        assert b"[row a]" in server.bodies


def test_extra_routes_and_unknown_paths() -> None:
    routes = {"/batches": always(Raw(200, b'{"id": "b1"}')), "/decisions": always(Answer("no"))}
    with Faultd(routes={"/batches": routes["/batches"]}) as server:
        assert httpx2.post(f"{server.url}/batches", json={}).json() == {"id": "b1"}
        assert httpx2.get(f"{server.url}/models").status_code == 404
        assert server.count == 2


def test_several_requests_on_one_connection_and_split_ones() -> None:
    async def main() -> list[int]:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        body = b'{"messages": []}'
        request = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        for at in range(len(request)):
            writer.write(request[at : at + 1])
            await writer.drain()
        writer.write(request * 2)
        lengths = []
        for _ in range(3):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            lengths.append(len(await reader.readexactly(length)))
        writer.close()
        await writer.wait_closed()
        return lengths

    with Faultd() as server:
        assert len(run(main)) == 3
        assert server.count == 3


def test_error_statuses_are_as_scripted() -> None:
    with Faultd(
        always(Status(429, "slow_down", "later", retry_after="7", x_ratelimit_remaining="0"))
    ) as server:
        answer = httpx2.post(f"{server.url}/messages", json={})
    assert answer.status_code == 429
    assert (answer.headers["retry-after"], answer.headers["x-ratelimit-remaining"]) == ("7", "0")
    assert answer.json()["error"]["code"] == "slow_down"


@pytest.mark.parametrize("stage", ["nothing", "headers", "half"])
def test_breaks_are_real(stage: str) -> None:
    with Faultd(always(Break(stage))) as server, pytest.raises(httpx2.TransportError):
        httpx2.post(f"{server.url}/messages", json={})


def test_a_port_can_be_kept() -> None:
    with Faultd() as server:
        port = server.port
    with Faultd(port=port) as server:
        assert server.port == port


def test_it_needs_nothing_of_the_project() -> None:
    tests = Path(__file__).resolve().parents[1]
    for name in ("faultd.py", "faultd_acts.py", "faultd_wires.py"):
        assert "import evalharness" not in (tests / name).read_text()
        assert "from evalharness" not in (tests / name).read_text()
