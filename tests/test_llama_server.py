"""The real server that end-to-end tests use: what it answers on each wire, and that it ends with its context."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.llama_server import llama_server, local_model_path

pytestmark = pytest.mark.local_model

SCHEMA = {
    "type": "object",
    "properties": {"value": {"type": "integer", "enum": [1, 2, 3]}},
    "required": ["value"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with llama_server(local_model_path(), context_tokens=1024, slots=1) as address:
        yield address


def post(address: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_chat_completions_honour_the_schema_and_count_tokens(address: str) -> None:
    status, body = post(
        address,
        "/v1/chat/completions",
        {
            "messages": [{"role": "user", "content": "Rate it from 1 to 3."}],
            "max_tokens": 60,
            "temperature": 0,
            "logprobs": True,
            "top_logprobs": 5,
            "response_format": {"type": "json_schema", "json_schema": {"name": "v", "schema": SCHEMA}},
        },
    )
    assert status == 200
    text = body["choices"][0]["message"]["content"]
    assert text.lstrip().startswith("{")
    assert body["choices"][0]["finish_reason"] == "length" or json.loads(text)["value"] in (1, 2, 3)
    assert len(body["choices"][0]["logprobs"]["content"][0]["top_logprobs"]) == 5
    assert body["usage"]["prompt_tokens"] > 0


def test_responses_answer_in_their_own_shape(address: str) -> None:
    status, body = post(address, "/v1/responses", {"input": "Say hello.", "max_output_tokens": 16})
    assert status == 200
    assert body["object"] == "response"
    assert body["output"][0]["content"][0]["type"] == "output_text"
    assert body["usage"]["output_tokens"] > 0


def test_messages_answer_in_their_own_shape(address: str) -> None:
    ask = {"model": "m", "max_tokens": 8, "messages": [{"role": "user", "content": "Say hello."}]}
    status, body = post(address, "/v1/messages", ask)
    assert status == 200
    assert body["type"] == "message"
    assert body["content"][0]["type"] == "text"
    assert body["usage"]["output_tokens"] <= 8


def test_a_prompt_beyond_the_window_is_an_error_with_a_name(address: str) -> None:
    ask = {"messages": [{"role": "user", "content": "word " * 3000}], "max_tokens": 1}
    status, body = post(address, "/v1/chat/completions", ask)
    assert status == 400
    assert body["error"]["type"] == "exceed_context_size_error"


def test_the_server_ends_with_its_context() -> None:
    with llama_server(local_model_path(), context_tokens=512, slots=1) as address:
        assert post(address, "/tokenize", {"content": "a"})[0] == 200
    with pytest.raises(OSError, match="refused"):
        post(address, "/tokenize", {"content": "a"})


def test_a_model_that_can_not_be_loaded_skips_with_the_reason(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF")
    with pytest.raises(pytest.skip.Exception, match="did not come up"), llama_server(broken):
        raise AssertionError("nothing is served")
