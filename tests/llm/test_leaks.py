"""Keys and dialogue text stay where they belong, whatever goes wrong."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalharness.errors import EvalHarnessError
from evalharness.llm.client import ProviderFault, Request
from evalharness.llm.clients import make_client
from evalharness.llm.keys import Trust
from tests.faultd import MALFORMED, RETRYABLE, Answer, Faultd, Raw, Redirect, Seen, Status, always
from tests.llm.doubles import KINDS, client_of, fault, outcome_of, run

KEY = "canary-key-a1b2c3d4e5"
PRIVATE = "Ulrike lost parcel QX-4711 in Winterthur"
REQUEST = Request("You judge.", f"user: {PRIVATE}", f"Rate the reply to {PRIVATE}.")
OWN_KEY = {"EVALHARNESS_KEY_127_0_0_1": KEY}


def echo(seen: Seen) -> Raw:
    """A server that repeats the key and the prompt in its error."""
    key = seen.headers["authorization"].removeprefix("Bearer ")
    return Status(400, "invalid_request_error", f"bad key {key} for {seen.asked.text}")


ACTS: dict[str, Any] = {
    **RETRYABLE,
    **{f"malformed_{name}": Raw(200, body) for name, body in MALFORMED.items()},
    "401": Status(401, "invalid_api_key", f"Incorrect API key provided: {KEY}"),
    "422": Raw(
        422, f'{{"detail": [{{"loc": ["body"], "input": "{PRIVATE}", "msg": "{PRIVATE}"}}]}}'.encode()
    ),
    "html_echo": Raw(500, f"<html>{PRIVATE} {KEY}</html>".encode()),
    "text_echo": Raw(400, f"{PRIVATE} {KEY}".encode()),
    "refused": Answer(PRIVATE, finish="refusal"),
    "redirect": Redirect(307, f"http://{KEY}.example/{KEY}"),
}


def shown(error: BaseException) -> str:
    """Everything that a careless handler could print of an exception, locals included."""
    report = traceback.TracebackException.from_exception(error, capture_locals=False)
    chain = [error]
    while chain[-1].__cause__ or chain[-1].__context__:
        chain.append(chain[-1].__cause__ or chain[-1].__context__)  # type: ignore[arg-type]
    texts = [str(link) + repr(link) + repr(vars(link)) for link in chain]
    return "\n".join([*report.format(), *texts])


def words(text: str) -> list[str]:
    return [word for word in (KEY, "Ulrike", "4711", "Winterthur") if word in text]


@pytest.fixture
def loud(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Every logger as talkative as it gets."""
    names = ["", "openai", "anthropic", "httpx2", "httpcore2"]
    before = {name: logging.getLogger(name).level for name in names}
    caplog.set_level(logging.DEBUG)
    yield caplog
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize("kind", KINDS)
def test_no_fault_shows_the_key_or_the_dialogue(kind: str, loud: pytest.LogCaptureFixture) -> None:
    async def main() -> list[str]:
        client = client_of(kind, server.root, OWN_KEY, timeout=30.0)
        found = []
        for name, step in [*ACTS.items(), ("echo", None)]:
            server.script = echo if step is None else always(step)
            result = await outcome_of(client, REQUEST)
            if isinstance(result, ProviderFault):
                found += [f"{name}: {word}" for word in words(shown(result))]
                found += [f"{name} pickled: {word}" for word in words(repr(pickle.dumps(result.args)))]
        found += words(repr(client) + str(client.identity) + str(client.warnings))
        await client.close()
        return found

    with Faultd() as server:
        assert run(main) == []
        assert KEY.encode() in server.bodies
        assert PRIVATE.encode() in server.bodies
    assert words(loud.text) == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_unmapped_exception_is_not_hidden(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        client: Any = client_of(kind, "http://127.0.0.1:1")

        async def broken(_body: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(client, "_send", broken)
        with pytest.raises(ZeroDivisionError):
            await client.complete(REQUEST)
        await client.close()

    run(main)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_reach_nobody(kind: str, status: int) -> None:
    with Faultd() as other, Faultd(always(Redirect(status, f"{other.url}/messages"))) as server:
        found = fault(kind, server.root, REQUEST)
        assert (server.count, other.count) == (1, 0)
    assert found.detail == "redirect to 127.0.0.1 not followed"


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_environment_adds_for_a_provider_goes_to_no_other_host(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_WEBHOOK_SECRET",
        "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "AZURE_OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK",
    ):  # fmt: skip
        monkeypatch.setenv(name, KEY)
    custom = f"Authorization: Bearer {KEY}\nX-Gateway: {KEY}\nx-api-key: {KEY}"
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", custom)
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", custom)
    with Faultd() as server:

        async def main() -> None:
            client = client_of(kind, server.root, dict(os.environ))
            await client.complete(REQUEST)
            await client.close()

        run(main)
        assert server.count == 1
        assert KEY.encode() not in server.bodies
        assert server.requests[0].headers["authorization"] == "Bearer no-key-needed"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_requests_to_this_machine_go_to_no_proxy(
    kind: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Faultd() as proxy, Faultd() as server:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.root)

        async def main() -> None:
            client = client_of(kind, f"http://{host}:{server.port}")
            await client.complete(REQUEST)
            await client.close()

        run(main)
        assert (proxy.count, server.count) == (0, 1)


def test_a_key_named_for_the_host_arrives() -> None:
    async def main(kind: str) -> None:
        client = client_of(kind, server.root, OWN_KEY)
        await client.complete(REQUEST)
        await client.close()

    with Faultd() as server:
        for kind in KINDS:
            run(lambda kind=kind: main(kind))  # type: ignore[misc]
        assert [seen.headers["authorization"] for seen in server.requests] == [f"Bearer {KEY}"] * 3


SETTINGS: list[tuple[str, str | None, dict[str, Any]]] = [
    ("openai", "https://evil.example/v1", {}),
    ("openai", "https://evil.example/v1", {"api_key_env": "OPENAI_API_KEY"}),
    ("openai", "http://evil.example/v1", {}),
    ("openai", "https://evil.openai.azure.com", {"platform": "azure"}),
    ("openai", "https://evil.example/v1", {"platform": "openai"}),
    ("anthropic", "https://evil.example", {}),
    ("anthropic", "https://evil.example", {"platform": "bedrock"}),
    ("anthropic", "https://evil.example", {"platform": "vertex"}),
    ("anthropic", "https://api.openai.com", {}),
    ("openai", None, {"api_key": KEY}),
    ("openai", None, {"base_url": "https://evil.example"}),
    ("openai", None, {"default_headers": {"x": KEY}}),
]


@pytest.mark.parametrize(("backend", "url", "options"), SETTINGS)
def test_no_settings_file_can_send_a_key_elsewhere(
    backend: str, url: str | None, options: dict[str, Any]
) -> None:
    names = ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "AWS_BEARER_TOKEN_BEDROCK"]
    trust = Trust.from_environment(dict.fromkeys(names, KEY))
    with pytest.raises(EvalHarnessError) as error:
        make_client(backend, "m", url, options, trust)
    assert KEY not in str(error.value)


def test_env_files_in_the_working_folder_are_not_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=from-file\nOPENAI_BASE_URL=https://evil.example/v1\n")
    code = (
        "from evalharness.llm.clients import make_client\n"
        "from evalharness.errors import UsageError\n"
        "try: make_client('openai', 'm', None, {})\n"
        "except UsageError as error: print(error)\n"
    )
    root = Path(__file__).resolve().parents[2]
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("there is no key for api.openai.com. Set OPENAI_API_KEY")


def test_acts_cover_errors_that_echo() -> None:
    """The echoing server really echoes, so that the tests above test something."""
    with Faultd(echo) as server:
        import httpx2

        answer = httpx2.post(
            f"{server.url}/chat/completions",
            headers={"authorization": f"Bearer {KEY}"},
            json={"messages": [{"role": "user", "content": PRIVATE}]},
        )
    assert words(answer.text) == [KEY, "Ulrike", "4711", "Winterthur"]
