from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from evalharness.core.scores import Cause
from evalharness.errors import MissingDependencyError, UsageError
from evalharness.llm.anthropic_backend import AnthropicClient
from evalharness.llm.client import Client, ProviderFault, Sampling, prepare
from evalharness.llm.clients import backends, make_client
from evalharness.llm.keys import Trust
from evalharness.llm.openai_backend import OpenAIClient
from tests.faultd import Faultd, Raw, always
from tests.llm.doubles import ask, client_of, run

ENV = {"OPENAI_API_KEY": "k-openai", "ANTHROPIC_API_KEY": "k-anthropic", "AZURE_OPENAI_API_KEY": "k-azure"}
ROOT = Path(__file__).resolve().parents[2]
AZURE = "https://mine.openai.azure.com"


def make(
    backend: str, model: str = "m", url: str | None = None, env: dict[str, str] | None = None, **options: Any
) -> Any:
    return make_client(backend, model, url, options, Trust.from_environment({**ENV, **(env or {})}))


def close(client: Client) -> None:
    run(client.close)


def text_of(client: Client) -> str:
    """The text of one reply; the client is closed."""

    async def main() -> str:
        try:
            return (await client.complete(ask())).text
        finally:
            await client.close()

    return run(main)


def test_unknown_back_ends_get_near_names() -> None:
    with pytest.raises(UsageError, match="Did you mean openai"):
        make("opanai")
    assert backends() == ("openai", "anthropic", "local", "decisions", "systemone")


@pytest.mark.parametrize("backend", ["openai", "anthropic", "decisions"])
def test_what_cannot_stand_in_a_request_is_refused_first(backend: str) -> None:
    with pytest.raises(UsageError, match="the name holds characters that can't be sent"):
        make(backend, "m\udcff")
    for body in ({"x": "\ud800"}, {"\ud800": 1}, {"x": float("nan")}, {"x": {1}}):
        with pytest.raises(UsageError, match=r"the option extra_body holds \w+ that can't be sent"):
            make(backend, "m", extra_body=body)


def test_an_environment_that_allows_no_connection_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    client = make("openai")
    with monkeypatch.context() as patched:
        patched.setenv("HTTP_PROXY", "ftp://user:canary@proxy")
        with pytest.raises(UsageError, match="HTTP_PROXY") as told:
            client.prepare()
        assert "canary" not in str(told.value)
    with monkeypatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        with pytest.raises(UsageError, match="No such file"):
            client.prepare()
    client.prepare()
    close(client)


def test_a_model_is_needed() -> None:
    with pytest.raises(UsageError, match="openai:MODEL"):
        make("openai", "")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"temprature": 1}, "there is no option of the openai back-end 'temprature'"),
        ({"timout": 3}, "Did you mean timeout"),
        ({"timeout": 0}, "openai option timeout"),
        ({"timeout": "3"}, "openai option timeout"),
        ({"timeout": float("inf")}, "openai option timeout"),
        ({"api": "completions"}, "openai option api"),
        ({"cache": "always"}, "openai option cache"),
        ({"api_key": "sk-123"}, "a key can't be given as an option"),
        ({"openai_api_key": "sk-123"}, "a key can't be given as an option"),
        ({"base_url": "https://x"}, "there is no option"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as error:
        make("openai", **options)
    assert "sk-123" not in str(error.value)


def test_all_wrong_options_are_told_at_once() -> None:
    with pytest.raises(UsageError) as error:
        make("anthropic", timeout=-1, nonsense=1, thinking="hard")
    assert len(error.value.problems) == 3


def test_openai_itself() -> None:
    client = make("openai", "gpt-6-luna", effort="none")
    assert isinstance(client, OpenAIClient)
    assert (client.backend, client.model, client.endpoint) == ("openai", "gpt-6-luna", "api.openai.com/v1")
    assert client.identity["api"] == "responses"
    assert client.capabilities.logprobs
    assert client.capabilities.labels
    assert client.capabilities.context_tokens == 1_050_000
    assert not make("openai", "gpt-6.1-sol").capabilities.logprobs
    assert client._sdk.max_retries == 0
    assert client._sdk._client.follow_redirects is False
    assert client.count_tokens("12345") == 2
    close(client)


def test_other_hosts_speak_chat_unless_told_otherwise() -> None:
    local = make("openai", "m", "http://localhost:8000/v1")
    assert local.identity["api"] == "chat"
    assert local.capabilities.labels
    assert make("openai", "m", "http://localhost:8000/v1", api="responses").identity["api"] == "responses"
    assert make("openai", "gpt-6-luna", api="chat").identity["api"] == "chat"


def test_azure_uses_the_sdks_own_class() -> None:
    env = {"AZURE_OPENAI_ENDPOINT": AZURE}
    client = make("openai", "deployed", AZURE, env)
    assert isinstance(client._sdk, openai.AsyncAzureOpenAI)
    assert str(client._sdk.base_url) == f"{AZURE}/openai/v1/"
    assert client.identity["api"] == "responses"
    dated = make("openai", "deployed", AZURE, env, api="chat")
    assert str(dated._sdk.base_url) == f"{AZURE}/openai/"
    assert dated._sdk._api_version == "2024-10-21"
    assert (
        make("openai", "d", AZURE, env, api_version="2025-04-01-preview")._sdk._api_version
        == "2025-04-01-preview"
    )
    assert isinstance(make("openai", "d", None, env, platform="azure")._sdk, openai.AsyncAzureOpenAI)


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_azures_wire(api: str) -> None:
    with Faultd(routes={}) as server:
        paths = {"responses": "/openai/v1/responses", "chat": "/openai/deployments/deployed/chat/completions"}
        env = {"AZURE_OPENAI_ENDPOINT": server.root}
        client = make("openai", "deployed", server.root, env, platform="azure", api=api)

        async def main() -> None:
            with pytest.raises(Exception, match="model_not_found"):
                await client.complete(ask())
            await client.close()

        run(main)
        seen = server.requests[0]
    assert seen.path.startswith(f"{paths[api]}?api-version=")
    assert seen.headers["api-key"] == "k-azure"
    assert "authorization" not in seen.headers


def test_anthropic_itself() -> None:
    client = make("anthropic", "claude-haiku-5-5")
    assert isinstance(client, AnthropicClient)
    assert client.endpoint == "api.anthropic.com"
    assert client.identity["platform"] == "anthropic"
    assert not client.capabilities.logprobs
    assert client.capabilities.schema
    assert client._sdk.max_retries == 0
    assert client._sdk._client.follow_redirects is False
    close(client)


def test_bedrock_uses_the_sdks_own_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "k-bedrock")
    env = {"AWS_BEARER_TOKEN_BEDROCK": "k-bedrock"}
    client = make(
        "anthropic", "global.anthropic.claude-haiku-5-5", None, env, platform="bedrock", region="eu-west-1"
    )
    assert isinstance(client._sdk, anthropic.AsyncAnthropicBedrock)
    assert client.endpoint == "bedrock-runtime.eu-west-1.amazonaws.com"
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(UsageError, match="AWS_REGION"):
        make("anthropic", "m", None, env, platform="bedrock")


def test_platforms_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingDependencyError, match=r"anthropic\[bedrock\]"):
        make("anthropic", "m", platform="bedrock", region="us-east-1")
    with pytest.raises(MissingDependencyError, match=r"anthropic\[vertex\]"):
        make("anthropic", "m", platform="vertex", region="us-east5")
    with pytest.raises(MissingDependencyError, match="pip install aiohttp"):
        make("openai", "m", transport="aiohttp")


def test_vertex_uses_the_sdks_own_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalharness.llm.anthropic_backend._need", lambda *_: None)
    client = make("anthropic", "claude-haiku-5-5", platform="vertex", region="global", project="p1")
    assert isinstance(client._sdk, anthropic.AsyncAnthropicVertex)
    assert client.endpoint == "aiplatform.googleapis.com/v1"
    assert client._sdk.project_id == "p1"
    with pytest.raises(UsageError, match="CLOUD_ML_REGION"):
        make("anthropic", "m", platform="vertex")


def test_bedrocks_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    model = "global.anthropic.claude-haiku-5-5"
    answer = {"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"}
    with Faultd(routes={f"/model/{model}/invoke": always(Raw(200, json.dumps(answer).encode()))}) as server:
        monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", server.root)
        monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "k-bedrock")
        monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "x-gateway: k-gateway")
        env = {"AWS_BEARER_TOKEN_BEDROCK": "k-bedrock"}
        client = make("anthropic", model, None, env, platform="bedrock", region="eu-west-1")
        assert text_of(client) == "hi"
        seen = server.requests[0]
    assert "model" not in seen.body
    assert seen.body["system"][0]["text"] == "You judge replies."
    assert seen.headers["authorization"] == "Bearer k-bedrock"
    assert b"k-gateway" not in server.bodies
    assert b"k-anthropic" not in server.bodies


def test_vertexs_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalharness.llm.anthropic_backend._need", lambda *_: None)
    answer = {"content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"}
    path = "/projects/p1/locations/global/publishers/anthropic/models/claude-haiku-5-5:rawPredict"
    with Faultd(routes={path: always(Raw(200, json.dumps(answer).encode()))}) as server:
        monkeypatch.setenv("ANTHROPIC_VERTEX_BASE_URL", server.url)
        client = make("anthropic", "claude-haiku-5-5", platform="vertex", region="global", project="p1")
        client._sdk.access_token = "k-vertex"
        assert text_of(client) == "hi"
        assert server.requests[0].headers["authorization"] == "Bearer k-vertex"
        assert b"k-anthropic" not in server.bodies


def test_credentials_that_can_not_be_had_end_the_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalharness.llm.anthropic_backend._need", lambda *_: None)
    client = make("anthropic", "claude-haiku-5-5", platform="vertex", region="global", project="p1")

    async def no_token() -> str:
        raise RuntimeError("Could not resolve API token from the environment")

    monkeypatch.setattr(client._sdk, "_ensure_access_token", no_token)
    with pytest.raises(ProviderFault) as error:
        text_of(client)
    assert (error.value.cause, error.value.fatal) == (Cause.AUTH, True)


@pytest.mark.parametrize("name", ["effort", "extra_body", "api", "verbosity", "service_tier"])
def test_options_that_change_answers_are_part_of_the_identity(name: str) -> None:
    other: dict[str, Any] = {
        "effort": "high", "extra_body": {"x": 1}, "api": "chat", "verbosity": "high", "service_tier": "flex",
    }  # fmt: skip
    assert (
        make("openai", "gpt-6-luna").identity != make("openai", "gpt-6-luna", **{name: other[name]}).identity
    )


def test_options_that_change_no_answer_are_not_part_of_it() -> None:
    plain = make("openai", "gpt-6-luna").identity
    assert plain == make("openai", "gpt-6-luna", timeout=5.0, cache="off", connect_timeout=1.0).identity
    assert "k-openai" not in str(plain)


def test_the_output_limit_includes_reasoning() -> None:
    client = make("openai", "gpt-6-luna")
    assert client.output_limit(ask(max_tokens=100)) == 100 + 8192
    assert client.output_limit(ask(max_tokens=100, sampling=Sampling(effort="none"))) == 100
    assert make("openai", "m", "http://localhost:1/v1").output_limit(ask(max_tokens=100)) == 100


def test_the_output_limit_includes_what_the_extra_body_allows() -> None:
    def limit(**extra: int) -> int:
        client: Any = make("openai", "m", "http://localhost:1/v1", extra_body=extra)
        found: int = client.output_limit(ask(max_tokens=100))
        return found

    assert (limit(max_tokens=9000), limit(max_completion_tokens=50), limit(n=3)) == (9000, 100, 300)


def test_a_model_that_can_not_be_named_in_a_request_is_refused() -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        make("openai", "m\udcff")


def test_sdk_debug_logs_are_kept_off() -> None:
    logging.getLogger("anthropic").setLevel(logging.DEBUG)
    prepare([make("anthropic", "m")])
    assert logging.getLogger("anthropic").level == logging.WARNING


@pytest.mark.parametrize("backend", ["openai", "anthropic", "decisions"])
def test_debug_logs_that_the_environment_asks_for_are_kept_off(backend: str) -> None:
    code = (
        "import asyncio, sys; from evalharness.llm.clients import make_client; from tests.llm.doubles import ask\n"
        f"client = make_client({backend!r}, 'm', sys.argv[1], {{}})\n"
        "async def main():\n"
        "    try: await client.complete(ask())\n"
        "    finally: await client.close()\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "OPENAI_LOG": "debug", "ANTHROPIC_LOG": "debug", "PYTHONPATH": str(ROOT)}
    with Faultd() as server:
        done = subprocess.run(
            [sys.executable, "-c", code, server.root],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert "DEBUG" not in done.stderr
    assert "INFO" not in done.stderr
    assert "[row r1]" not in done.stderr


def test_warnings_are_told_once_each() -> None:
    async def main(client: Client) -> tuple[str, ...]:
        for _ in range(3):
            await client.complete(ask(sampling=Sampling(temperature=0.0)))
        await client.close()
        return client.warnings

    with Faultd() as server:
        client = client_of("messages", server.root)
        assert client.warnings == ()
        assert run(lambda: main(client)) == ("temperature was left out: claude-haiku-5-5 does not take it",)


def test_back_ends_are_imported_only_when_used() -> None:
    code = (
        "import sys, evalharness.llm.clients, evalharness.llm.retry, evalharness.llm.pricing\n"
        "heavy = {'openai', 'anthropic', 'httpx2', 'pydantic', 'genai_prices', 'xllamacpp', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"
