"""What providers say of batches is read strictly; what they name can't lead anywhere else."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest

from evalharness.core.scores import Cause
from evalharness.llm.batches import Call, Phase, Row
from evalharness.llm.bodies import MalformedBody
from evalharness.llm.client import ProviderFault, Reply, Request
from evalharness.llm.clients import make_client
from evalharness.llm.wire_batches_anthropic import AnthropicBatches
from evalharness.llm.wire_batches_openai import OpenAIBatches


class Wire:
    """Answers calls with what was prepared, and keeps them."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []

    async def __call__(self, call: Call) -> bytes:
        self.calls.append(call)
        answer = self.answers.pop(0)
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


def _openai(*answers: Any) -> tuple[OpenAIBatches, Wire]:
    wire = Wire(*answers)
    return OpenAIBatches(wire, "/v1/responses", expires=True), wire


def _anthropic(*answers: Any) -> tuple[AnthropicBatches, Wire]:
    wire = Wire(*answers)
    return AnthropicBatches(wire), wire


def _batch(**more: Any) -> dict[str, Any]:
    return {"id": "batch_1", "status": "in_progress", "created_at": 1000, **more}


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("validating", Phase.RUNNING), ("in_progress", Phase.RUNNING), ("finalizing", Phase.RUNNING),
        ("cancelling", Phase.RUNNING), ("completed", Phase.ENDED), ("expired", Phase.ENDED),
        ("cancelled", Phase.ENDED), ("failed", Phase.FAILED), ("a word of tomorrow", Phase.RUNNING),
    ],
)  # fmt: skip
def test_states_of_openai(word: str, phase: Phase):
    api, _ = _openai(_batch(status=word))
    assert asyncio.run(api.status("batch_1")).phase is phase


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"<html>", b"null", b"[]", b"{}", {"id": "batch_1"}, _batch(id="../files/x"), _batch(id="a/b"), _batch(id=7),
        _batch(status=1), _batch(status="completed", output_file_id="../../x"), _batch(request_counts={"total": -1}),
        _batch(request_counts=[]), _batch(errors={"data": ["x"]}), _batch(metadata="x"),
    ],
)  # fmt: skip
def test_what_is_no_batch_is_a_fault_that_may_pass(answer: Any):
    api, _ = _openai(answer)
    with pytest.raises(ProviderFault) as caught:
        asyncio.run(api.status("batch_1"))
    assert caught.value.cause is Cause.PROTOCOL
    assert caught.value.retryable


def test_the_list_is_read_to_where_older_batches_begin():
    pages = [
        {"data": [_batch(id="b3", created_at=300), _batch(id="b2", created_at=200)], "has_more": True},
        {"data": [_batch(id="b1", created_at=90), _batch(id="b0", created_at=80)], "has_more": True},
    ]
    api, wire = _openai(*pages)
    assert [status.id for status in asyncio.run(api.listed(100.0))] == ["b3", "b2"]
    assert [call.query.get("after") for call in wire.calls] == [None, "b2"]


def test_a_list_without_an_end_is_a_fault():
    api, _ = _openai(*[{"data": [_batch(created_at=500)], "has_more": True}] * 100)
    with pytest.raises(ProviderFault, match="no end"):
        asyncio.run(api.listed(100.0))


def test_anthropic_results_are_fetched_from_an_address_of_our_own_making():
    told = {"id": "b1", "processing_status": "ended", "results_url": "https://elsewhere.example/x"}
    api, wire = _anthropic(told, b"")
    status = asyncio.run(api.status("b1"))
    asyncio.run(api.download(status.id, status.files[0], io.BytesIO()))
    assert wire.calls[-1].path == "/v1/messages/batches/b1/results"


def test_anthropic_states_and_counts():
    counts = {"processing": 3, "succeeded": 2, "errored": 1, "canceled": 0, "expired": 0}
    told = {
        "id": "b1",
        "processing_status": "canceling",
        "request_counts": counts,
        "created_at": "1970-01-01T00:01:00Z",
    }
    api, _ = _anthropic(told)
    status = asyncio.run(api.status("b1"))
    assert (status.phase, status.total, status.done, status.created) == (Phase.RUNNING, 6, 3, 60.0)


def test_rows_of_openai():
    api, _ = _openai()
    good = {"custom_id": "a", "response": {"status_code": 200, "body": {"x": 1}}, "error": None}
    assert api.row(json.dumps(good).encode()) == Row("a", 200, b'{"x":1}')
    expired = {"custom_id": "a", "response": None, "error": {"code": "batch_expired", "message": "late"}}
    assert api.row(json.dumps(expired).encode()).never_run == "expired"
    refused = {"custom_id": "a", "error": {"code": "rate_limit_exceeded"}}
    assert api.row(json.dumps(refused).encode()).status == 429
    for broken in (
        {"custom_id": "a"},
        {"custom_id": 1, "error": {}},
        {"custom_id": "a", "response": {"status_code": "x"}},
    ):
        with pytest.raises(MalformedBody):
            api.row(json.dumps(broken).encode())


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("invalid_request_error", 400),
        ("authentication_error", 401),
        ("overloaded_error", 529),
        ("new_error", 500),
    ],
)
def test_errored_rows_of_anthropic_have_the_status_of_a_live_answer(kind: str, status: int):
    api, _ = _anthropic()
    result = {"type": "errored", "error": {"type": "error", "error": {"type": kind, "message": "m"}}}
    assert api.row(json.dumps({"custom_id": "a", "result": result}).encode()).status == status


def test_answers_are_read_by_the_parser_of_live_ones():
    client: Any = make_client("openai", "m", "http://127.0.0.1:1/v1", {"max_body": 1000})
    body = {"choices": [{"message": {"content": "4"}, "finish_reason": "stop"}], "model": "m-1"}
    answer = client.batch_answer(Row("a", 200, json.dumps(body).encode()))
    assert isinstance(answer, Reply)
    assert (answer.text, answer.model) == ("4", "m-1")
    long = client.batch_answer(Row("a", 200, b'{"choices": "' + b"x" * 1000 + b'"}'))
    assert (long.cause, long.detail) == (Cause.PROTOCOL, "the body is longer than 1000 bytes")
    echo = json.dumps({"error": {"message": "bad input: wombat sk-abcdefgh12345678"}}).encode()
    refused = client.batch_answer(Row("a", 400, echo), private=("the wombat",))
    assert refused.cause is Cause.BAD_REQUEST
    assert "wombat" not in refused.detail
    assert "abcdefgh" not in refused.detail
    asyncio.run(client.close())


def test_only_providers_with_batches_have_a_batch_api():
    azure: Any = make_client("openai", "m", "http://127.0.0.1:1", {"platform": "azure"})
    decisions: Any = make_client("decisions", "gpt-6-luna", "http://127.0.0.1:1/v1", {})
    assert azure.batches is None
    assert decisions.batches is None


def test_a_service_tier_is_left_out_and_told():
    client: Any = make_client("openai", "m", "http://127.0.0.1:1/v1", {"service_tier": "flex"})
    assert "service_tier" not in client.batch_body(Request("s", "d", "a"))
    assert any("service_tier" in warning for warning in client.warnings)
