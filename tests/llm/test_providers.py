"""Both remote back-ends on their three wires against a real socket server: every fault becomes the right outcome."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest

from evalharness.core.scores import Cause
from evalharness.llm.client import Finish, ProviderFault, Reply, Sampling
from evalharness.llm.http import SELF_DESCRIPTION
from tests.faultd import (
    MALFORMED,
    RETRYABLE,
    Act,
    Answer,
    Bomb,
    Break,
    Drip,
    Faultd,
    Hang,
    Raw,
    Redirect,
    Seen,
    Status,
    Unclosed,
    always,
)
from tests.llm.doubles import KINDS, ask, client_of, fault, outcome, outcome_of, run

FINAL: Mapping[str, Act] = {
    "400": Status(400, "invalid_request_error"),
    "too_long": Status(400, "context_length_exceeded"),
    "401": Status(401, "invalid_api_key"),
    "402": Status(402, "billing_error"),
    "403": Status(403, "permission_error"),
    "404": Status(404, "model_not_found"),
    "413": Status(413, "request_too_large"),
    "422": Status(422),
    "429_quota": Status(429, "insufficient_quota"),
}
REDIRECTS: Mapping[str, Act] = {
    f"redirect_{status}": Redirect(status, "http://elsewhere.example/v1")
    for status in (301, 302, 303, 307, 308)
}
BAD: Mapping[str, Act] = {f"malformed_{name}": Raw(200, body) for name, body in MALFORMED.items()}
BOMB = Bomb(80_000_000)
CODED: Mapping[str, Act] = {
    "corrupt_gzip": Raw(200, b"\x1f\x8b not gzip", {"content-encoding": "gzip"}),
    "cut_gzip": Raw(200, Bomb(1000).body[:-6], {"content-encoding": "gzip"}),
    "unknown_coding": Raw(200, b"{}", {"content-encoding": "br"}),
    "bomb": BOMB,
    "wrong_type": Raw(200, b"{}", {"content-type": "text/html"}),
    "no_content": Raw(204, b""),
}
SLOW: Mapping[str, Act] = {"hang": Hang(), "unclosed": Unclosed(), "slow": Answer(delay=30.0)}
ACTS: Mapping[str, Act] = {**RETRYABLE, **FINAL, **REDIRECTS, **BAD, **CODED, **SLOW, "slicer": Drip(0.0, 7)}


def act(seen: Seen) -> Act:
    return ACTS[seen.row]


async def all_outcomes(kind: str, root: str) -> dict[str, Reply | ProviderFault]:
    patient, hasty = client_of(kind, root, timeout=30.0), client_of(kind, root, timeout=0.2)
    try:
        return {name: await outcome_of(hasty if name in SLOW else patient, ask(name)) for name in ACTS}
    finally:
        await patient.close()
        await hasty.close()


@pytest.fixture(scope="module", params=KINDS)
def outcomes(request: pytest.FixtureRequest) -> dict[str, Reply | ProviderFault]:
    """What each act came to for one wire."""
    with Faultd(act) as server:
        return run(lambda: all_outcomes(request.param, server.root))


def found_fault(outcomes: Mapping[str, Reply | ProviderFault], name: str) -> ProviderFault:
    found = outcomes[name]
    assert isinstance(found, ProviderFault), found
    return found


@pytest.mark.parametrize("name", RETRYABLE)
def test_retryable_faults(outcomes: dict[str, Reply | ProviderFault], name: str) -> None:
    found = found_fault(outcomes, name)
    assert (found.retryable, found.fatal) == (True, False)
    assert found.rate_limited is (name in ("429", "429_retry_after", "529"))
    broken = name.startswith(("reset", "close", "cut"))
    assert found.unknown_outcome is (broken or name in ("408", "502_html", "504"))
    assert (found.cause is Cause.CONNECTION) is broken
    assert "<html>" not in found.detail


def test_retry_after_is_told(outcomes: dict[str, Reply | ProviderFault]) -> None:
    assert found_fault(outcomes, "429_retry_after").retry_after == 0.01
    assert found_fault(outcomes, "429").retry_after is None


@pytest.mark.parametrize(
    ("name", "cause", "fatal"),
    [
        ("400", Cause.BAD_REQUEST, False),
        ("too_long", Cause.TOO_LONG, False),
        ("401", Cause.AUTH, True),
        ("402", Cause.QUOTA, True),
        ("403", Cause.AUTH, True),
        ("404", Cause.MODEL_NOT_FOUND, True),
        ("413", Cause.TOO_LONG, False),
        ("422", Cause.BAD_REQUEST, False),
        ("429_quota", Cause.QUOTA, True),
    ],
)
def test_final_faults(
    outcomes: dict[str, Reply | ProviderFault], name: str, cause: Cause, fatal: bool
) -> None:
    found = found_fault(outcomes, name)
    assert (found.cause, found.fatal, found.retryable) == (cause, fatal, False)


@pytest.mark.parametrize("name", [*BAD, *CODED, *REDIRECTS])
def test_what_no_provider_says_is_a_protocol_fault(
    outcomes: dict[str, Reply | ProviderFault], name: str
) -> None:
    found = found_fault(outcomes, name)
    assert found.cause is Cause.PROTOCOL
    assert found.retryable
    assert "Sign in" not in found.detail


@pytest.mark.parametrize("name", SLOW)
def test_silence_ends_at_the_read_timeout(outcomes: dict[str, Reply | ProviderFault], name: str) -> None:
    found = found_fault(outcomes, name)
    assert (found.cause, found.retryable, found.unknown_outcome) == (Cause.TIMEOUT, True, True)


def test_a_sliced_answer_is_an_answer(outcomes: dict[str, Reply | ProviderFault]) -> None:
    assert isinstance(outcomes["slicer"], Reply)


@pytest.mark.parametrize("kind", KINDS)
def test_one_attempt_is_one_request(kind: str) -> None:
    with Faultd(always(Status(503))) as server:
        fault(kind, server.root)
        assert server.count == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_drip_ends_at_the_callers_deadline(kind: str) -> None:
    async def main() -> None:
        client = client_of(kind, server.root, timeout=10.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.complete(ask())
        await client.close()

    with Faultd(always(Drip(0.02, 1))) as server:
        run(main, 5.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_takes_no_memory(kind: str) -> None:
    with Faultd(always(BOMB)) as server:
        gc.collect()
        tracemalloc.start()
        found = fault(kind, server.root, max_body=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert found.detail == "the body is longer than 1000000 bytes"
    assert peak < 25_000_000


def test_a_key_in_place_of_the_model_is_no_answer() -> None:
    key = "k-0123456789abcdef"

    async def main() -> Reply | ProviderFault:
        keys = {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": f"{server.root}/v1"}
        client = client_of("chat", server.root, keys)
        try:
            return await outcome_of(client)
        finally:
            await client.close()

    with Faultd(always(Answer(model=key))) as server:
        found = run(main)
    assert isinstance(found, ProviderFault)
    assert (found.cause, key in str(found)) == (Cause.PROTOCOL, False)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_answer_whose_body_is_refused_counts_by_its_status(kind: str) -> None:
    long = b" " * 5000
    with Faultd(always(Raw(401, long))) as server:
        assert fault(kind, server.root, max_body=4999).fatal
    with Faultd(always(Raw(429, b"{}", {"content-encoding": "br", "retry-after": "7"}))) as server:
        busy = fault(kind, server.root)
        assert (busy.cause, busy.rate_limited, busy.retry_after) == (Cause.RATE_LIMITED, True, 7.0)
    with Faultd(always(Raw(503, long))) as server:
        down = fault(kind, server.root, max_body=4999)
        assert (down.cause, down.unknown_outcome) == (Cause.SERVER_ERROR, False)


def test_long_plain_bodies_are_capped_and_gzip_within_the_cap_is_read() -> None:
    with Faultd(always(Raw(200, b" " * 5000))) as server:
        assert fault("chat", server.root, max_body=4999).detail == "the body is longer than 4999 bytes"
    body = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    coded = Raw(200, gzip.compress(json.dumps(body).encode()), {"content-encoding": "gzip"})
    with Faultd(always(coded)) as server:
        reply = outcome("chat", server.root)
        assert isinstance(reply, Reply)
        assert reply.text == "hi"
        assert server.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("transport", ["httpx", "aiohttp"])
@pytest.mark.parametrize("kind", KINDS)
def test_requests_do_not_describe_the_machine(kind: str, transport: str) -> None:
    if transport == "aiohttp":
        pytest.importorskip("aiohttp", reason="the extra `fast` is not installed")
    with Faultd() as server:
        outcome(kind, server.root, transport=transport)
        (seen,) = server.requests
    assert not [name for name in seen.headers if name in {header.lower() for header in SELF_DESCRIPTION}]
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept-encoding"] == "identity"


def test_nobody_at_home() -> None:
    with Faultd() as server:
        root = server.root
    for kind in KINDS:
        found = fault(kind, root)
        assert (found.cause, found.unknown_outcome, found.retryable) == (Cause.CONNECTION, False, True)
        assert found.detail == "the connection failed: ECONNREFUSED"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("said", "finish"),
    [
        (Answer("cut off", finish="length"), Finish.LENGTH),
        (Answer("I can't judge that", finish="refusal"), Finish.REFUSAL),
        (Answer(""), Finish.STOP),
        (Answer("no usage", usage=False), Finish.STOP),
    ],
)
def test_ends_of_answers(kind: str, said: Answer, finish: Finish) -> None:
    with Faultd(always(said)) as server:
        reply = outcome(kind, server.root)
    assert isinstance(reply, Reply)
    assert reply.finish is finish
    assert (reply.usage.output_tokens > 0) is said.usage
    assert reply.text == ("" if finish is Finish.REFUSAL else said.text)


def test_missing_usage_is_told_once() -> None:
    async def main() -> tuple[str, ...]:
        client = client_of("chat", server.root)
        for _ in range(3):
            await client.complete(ask())
        await client.close()
        return client.warnings

    with Faultd(always(Answer("x", usage=False))) as server:
        assert run(main) == ("the server reports no token usage: cost and limits are blind to it",)


@pytest.mark.parametrize("kind", KINDS)
def test_odd_judge_texts_come_through_unchanged(kind: str) -> None:
    texts = [
        "4/5",
        "```json\n{}\n```",
        '{"score": NaN}',
        "\u202ereversed",
        "\x1b[31mred",
        "𝟜",
        "a\x00b",
        "x" * 200_000,
    ]

    async def main() -> list[str]:
        client = client_of(kind, server.root)
        replies = [await client.complete(ask(str(at))) for at in range(len(texts))]
        await client.close()
        return [reply.text for reply in replies]

    with Faultd(lambda seen: Answer(texts[int(seen.row)])) as server:
        assert run(main) == texts


def test_lone_surrogates_are_replaced_both_ways() -> None:
    body = b'{"choices": [{"message": {"content": "a\\ud800b"}}]}'
    with Faultd(always(Raw(200, body))) as server:
        request = ask(schema=None)
        reply = outcome("chat", server.root, type(request)("s", "\ud800 dialogue", "ask"))
        assert isinstance(reply, Reply)
        assert reply.text == "a\ufffdb"
        assert "\ufffd dialogue" in server.requests[0].asked.text


def sent(kind: str, **options: Any) -> Mapping[str, Any]:
    """The body that one request with every wish puts on the wire."""
    wishes = ask(logprobs=True, sampling=Sampling(0.0, 0.9, 3, None))
    with Faultd() as server:
        assert isinstance(outcome(kind, server.root, wishes, **options), Reply)
        return server.requests[0].body


def test_what_openai_itself_is_sent() -> None:
    body = sent("responses", effort="none", service_tier="flex", verbosity="low")
    assert body["store"] is False
    assert body["prompt_cache_options"] == {"mode": "explicit"}
    assert len(body["prompt_cache_key"]) == 32
    assert body["input"][0]["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit"}
    assert "prompt_cache_breakpoint" not in json.dumps(body["input"][1])
    assert (body["service_tier"], body["reasoning"]) == ("flex", {"effort": "none"})
    assert body["text"]["verbosity"] == "low"
    assert body["text"]["format"]["strict"] is True
    assert (body["temperature"], body["top_p"], body["top_logprobs"]) == (0.0, 0.9, 20)
    assert "seed" not in body
    assert "prompt_cache_options" not in sent("responses", capabilities={"explicit_cache": False})
    off = sent("responses", cache="off")
    assert "prompt_cache_key" not in off
    assert off["prompt_cache_options"] == {"mode": "explicit"}
    assert "prompt_cache_breakpoint" not in json.dumps(off)


def test_what_other_hosts_are_sent() -> None:
    body = sent("chat")
    assert (body["temperature"], body["top_p"], body["seed"], body["max_tokens"]) == (0.0, 0.9, 3, 1024)
    assert not [name for name in body if name.startswith("prompt_cache") or name == "store"]
    assert isinstance(body["messages"][1]["content"], str)
    assert "max_completion_tokens" in sent("chat", limit_field="max_completion_tokens")
    official = sent("chat", platform="openai", effort="none")
    assert official["store"] is False
    assert "max_completion_tokens" in official
    assert isinstance(official["messages"][1]["content"], list)


def test_what_anthropic_is_sent() -> None:
    body = sent("messages", effort="low", thinking="disabled")
    assert not {"temperature", "top_p", "top_k", "seed"} & body.keys()
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert (body["thinking"], body["output_config"]["effort"]) == ({"type": "disabled"}, "low")
    assert body["output_config"]["format"]["type"] == "json_schema"


def test_legacy_sampling_goes_by_the_old_version() -> None:
    with Faultd() as server:
        outcome("messages", server.root, ask(sampling=Sampling(0.5)), legacy_sampling=True)
        assert server.requests[0].body["temperature"] == 0.5
        assert server.requests[0].headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize("kind", KINDS)
def test_extra_body_is_merged(kind: str) -> None:
    assert sent(kind, extra_body={"chat_template_kwargs": {"x": 1}})["chat_template_kwargs"] == {"x": 1}


def test_dialogues_that_come_again_are_marked() -> None:
    async def main() -> None:
        client = client_of("messages", server.root)
        for number in range(24):
            await client.complete(ask(str(number // 4)))
        await client.close()

    with Faultd() as server:
        run(main)
        marked = [json.dumps(seen.body["messages"]).count("cache_control") for seen in server.requests]
    assert marked[:15] == [0] * 15
    assert marked[16:] == [1] * 8


@pytest.mark.parametrize("kind", KINDS)
def test_a_used_up_limit_is_told_by_a_good_answer(kind: str) -> None:
    pauses: list[float] = []

    async def main() -> None:
        client: Any = client_of(kind, server.root)
        client.on_pause = pauses.append
        await client.complete(ask())
        await client.close()

    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}
    with Faultd(always(Answer(headers=headers))) as server:
        run(main)
    assert pauses == [90.0]


@pytest.mark.parametrize("kind", KINDS)
def test_cancellation_passes_and_frees_the_connection(kind: str) -> None:
    async def main() -> None:
        client = client_of(kind, server.root)
        task = asyncio.create_task(client.complete(ask("hang")))
        while server.count == 0:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert isinstance(await client.complete(ask("good")), Reply)
        await client.close()
        await client.close()

    with Faultd(lambda seen: Hang() if seen.row == "hang" else Answer()) as server:
        run(main)


@pytest.mark.parametrize("kind", KINDS)
def test_request_ids_come_from_the_header_or_the_body(kind: str) -> None:
    with Faultd(always(Answer(headers={"x-request-id": "req_7"}))) as server:
        reply = outcome(kind, server.root)
        assert isinstance(reply, Reply)
        assert reply.request_id == "req_7"
    with Faultd() as server:
        reply = outcome(kind, server.root)
        assert isinstance(reply, Reply)
        assert reply.request_id


@pytest.mark.parametrize("kind", KINDS)
def test_many_at_once_over_kept_connections(kind: str) -> None:
    async def main() -> list[Reply]:
        client = client_of(kind, server.root)
        replies = await asyncio.gather(*(client.complete(ask(str(row))) for row in range(150)))
        await client.close()
        return list(replies)

    with Faultd() as server:
        replies = run(main)
        assert server.count == 150
    assert len({reply.text for reply in replies}) > 20


def test_breaks_after_each_stage_are_unknown_outcomes() -> None:
    for stage in ("nothing", "headers", "half"):
        for reset in (True, False):
            with Faultd(always(Break(stage, reset))) as server:
                found = fault("chat", server.root)
            assert (found.cause, found.unknown_outcome) == (Cause.CONNECTION, True)
