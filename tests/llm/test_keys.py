from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.errors import UsageError
from evalharness.llm.endpoint import parse_endpoint
from evalharness.llm.keys import (
    ANTHROPIC,
    AZURE,
    OPENAI,
    PLACEHOLDER,
    Provider,
    Secret,
    Trust,
    endpoint_for,
    key_for,
    key_variables,
    variable_of,
)

ENV = {
    "OPENAI_API_KEY": "openai-secret",
    "ANTHROPIC_API_KEY": "anthropic-secret",
    "AZURE_OPENAI_API_KEY": "azure-secret",
    "LAB_KEY": "lab-secret",
    "HOME": "/home/me",
}


def trust(**more: str) -> Trust:
    return Trust.from_environment({**ENV, **more})


def key(provider: Provider, url: str, asked: str | None = None, **more: str) -> str:
    return key_for(provider, parse_endpoint(url), trust(**more), asked).value


@pytest.mark.parametrize(
    ("url", "label", "loopback"),
    [
        ("https://api.openai.com/v1/", "api.openai.com/v1", False),
        ("https://API.OpenAI.com:443/v1", "api.openai.com/v1", False),
        ("http://localhost:8000/v1", "localhost:8000/v1", True),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://127.9.9.9", "127.9.9.9", True),
        ("http://[::1]:8000/v1", "[::1]:8000/v1", True),
        ("https://host.example.", "host.example", False),
        ("http://localhost.evil.org", "localhost.evil.org", False),
        ("http://10.0.0.1/v1", "10.0.0.1/v1", False),
    ],
)
def test_addresses_have_one_spelling(url: str, label: str, loopback: bool) -> None:
    endpoint = parse_endpoint(url)
    assert (endpoint.label, endpoint.loopback) == (label, loopback)
    assert parse_endpoint(endpoint.url) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        "https://user:secretpw@api.openai.com/v1",
        "https://api.openai.com@evil.org/v1",
        "https://api.openai.com\\@evil.org/v1",
        "https://api.openai.com/v1?key=secretpw",
        "https://api.openai.com/v1#x",
        "ftp://api.openai.com",
        "//api.openai.com",
        "api.openai.com",
        "https://",
        "https://host:99999/v1",
        "https://host:0/v1",
        "https://host:x/v1",
        "https://аpi.openai.com/v1",
        "https://api.openai.com/v1\r\nx: y",
        "https://api openai.com",
        "https://-host/v1",
        "https://a..b/v1",
        "https://[::1",
        "https://%61pi.openai.com/v1",
        "file:///etc/passwd",
    ],
)
def test_other_addresses_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_endpoint(url)
    assert "secretpw" not in str(error.value)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    for url in (text, f"https://{text}"):
        try:
            endpoint = parse_endpoint(url)
        except UsageError:
            continue
        assert endpoint.host
        assert parse_endpoint(endpoint.url) == endpoint


@pytest.mark.parametrize(
    ("provider", "url", "value"),
    [
        (OPENAI, "https://api.openai.com/v1", "openai-secret"),
        (OPENAI, "https://eu.api.openai.com/v1", "openai-secret"),
        (ANTHROPIC, "https://api.anthropic.com", "anthropic-secret"),
        (OPENAI, "http://localhost:8000/v1", PLACEHOLDER),
        (ANTHROPIC, "http://127.0.0.1:1", PLACEHOLDER),
    ],
)
def test_keys_go_home(provider: Provider, url: str, value: str) -> None:
    assert key(provider, url) == value


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        (OPENAI, "https://evil.org/v1"),
        (OPENAI, "https://api.openai.com.evil.org/v1"),
        (OPENAI, "https://xapi.openai.com/v1"),
        (OPENAI, "http://api.openai.com/v1"),
        (OPENAI, "https://api.anthropic.com/v1"),
        (ANTHROPIC, "https://api.openai.com"),
        (ANTHROPIC, "https://anthropic.com"),
        (AZURE, "https://evil.openai.azure.com"),
        (AZURE, "https://api.openai.com/v1"),
    ],
)
def test_keys_go_nowhere_else(provider: Provider, url: str) -> None:
    with pytest.raises(UsageError) as error:
        key(provider, url)
    assert "secret" not in str(error.value)
    assert variable_of(parse_endpoint(url).host) in str(error.value)


def test_the_users_own_address_gets_the_key_and_only_that_one() -> None:
    gateway = {"OPENAI_BASE_URL": "https://gateway.corp.example:8443/openai"}
    assert key(OPENAI, "https://gateway.corp.example:8443/other", **gateway) == "openai-secret"
    for other in ("https://gateway.corp.example/openai", "http://gateway.corp.example:8443/x"):
        with pytest.raises(UsageError):
            key(OPENAI, other, **gateway)
    azure = {"AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com"}
    assert key(AZURE, "https://mine.openai.azure.com/openai/v1", **azure) == "azure-secret"


def test_a_host_may_have_a_variable_of_its_own() -> None:
    assert variable_of("api.my-lab.org") == "EVALHARNESS_KEY_API_MY__LAB_ORG"
    assert key(OPENAI, "https://api.my-lab.org/v1", EVALHARNESS_KEY_API_MY__LAB_ORG="own") == "own"
    assert key(OPENAI, "http://localhost:1/v1", EVALHARNESS_KEY_LOCALHOST="own") == "own"


@given(
    st.from_regex(r"[a-z0-9](-{0,3}[a-z0-9]){0,3}(\.[a-z0-9](-{0,3}[a-z0-9]){0,3}){0,3}", fullmatch=True),
    st.from_regex(r"[a-z0-9](-{0,3}[a-z0-9]){0,3}(\.[a-z0-9](-{0,3}[a-z0-9]){0,3}){0,3}", fullmatch=True),
)
def test_two_hosts_never_share_a_variable(first: str, second: str) -> None:
    assert (variable_of(first) == variable_of(second)) == (first == second)


def test_hosts_that_no_variable_can_spell_have_none() -> None:
    assert variable_of("gpu_box") == ""
    assert variable_of("::1") == ""
    with pytest.raises(UsageError, match="EVALHARNESS_KEY_ENVS=gpu_box=VARIABLE"):
        key(OPENAI, "https://gpu_box/v1")


def test_the_environment_or_command_line_may_name_a_variable_for_a_host() -> None:
    mapping = {"EVALHARNESS_KEY_ENVS": "gpu_box=LAB_KEY, Other.org=HOME"}
    assert key(OPENAI, "https://gpu_box/v1", **mapping) == "lab-secret"
    given = Trust.from_environment(ENV, key_variables=["gpu_box=LAB_KEY"])
    assert key_for(OPENAI, parse_endpoint("https://gpu_box/v1"), given).value == "lab-secret"
    assert key_variables(OPENAI, parse_endpoint("https://other.org"), trust(**mapping))[0] == "HOME"


@pytest.mark.parametrize("text", ["LAB_KEY", "host=", "=X", "host=A B", "host=1X"])
def test_assignments_must_be_assignments(text: str) -> None:
    with pytest.raises(UsageError, match="host=VARIABLE"):
        Trust.from_environment({"EVALHARNESS_KEY_ENVS": text})


@pytest.mark.parametrize("asked", ["HOME", "LAB_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY"])
def test_a_settings_file_can_not_choose_a_key(asked: str) -> None:
    with pytest.raises(UsageError, match="only you may allow") as error:
        key(OPENAI, "https://evil.org/v1", asked)
    assert "secret" not in str(error.value)


def test_a_settings_file_may_name_what_is_allowed() -> None:
    assert (
        key(OPENAI, "https://evil.org/v1", "LAB_KEY", EVALHARNESS_KEY_ENVS="evil.org=LAB_KEY") == "lab-secret"
    )
    assert key(OPENAI, "https://api.openai.com/v1", "OPENAI_API_KEY") == "openai-secret"


def test_plain_http_to_other_machines_needs_leave() -> None:
    with pytest.raises(UsageError, match=r"EVALHARNESS_ALLOW_HTTP=gpu\.lab"):
        endpoint_for(OPENAI, "http://gpu.lab:8000/v1", trust())
    assert (
        endpoint_for(OPENAI, "http://gpu.lab:8000/v1", trust(EVALHARNESS_ALLOW_HTTP="x.org, gpu.lab")).port
        == 8000
    )
    line = Trust.from_environment({}, http_hosts=["GPU.lab"])
    assert endpoint_for(OPENAI, "http://gpu.lab:8000/v1", line).host == "gpu.lab"


def test_addresses_come_from_the_name_then_the_environment_then_the_provider() -> None:
    own = {"OPENAI_BASE_URL": "https://gateway.example/v1"}
    assert endpoint_for(OPENAI, "https://a.example", trust(**own)).host == "a.example"
    assert endpoint_for(OPENAI, None, trust(**own)).host == "gateway.example"
    assert endpoint_for(OPENAI, None, trust()).label == "api.openai.com/v1"
    with pytest.raises(UsageError, match="AZURE_OPENAI_ENDPOINT"):
        endpoint_for(AZURE, None, trust())


@pytest.mark.parametrize("value", ["a b", "schlüssel", "line\nbreak"])
def test_broken_keys_are_named_by_variable_only(value: str) -> None:
    with pytest.raises(UsageError, match="the key in OPENAI_API_KEY") as error:
        key(OPENAI, "https://api.openai.com/v1", OPENAI_API_KEY=value)
    assert value not in str(error.value)


def test_blank_keys_are_no_keys_and_spaces_around_are_dropped() -> None:
    with pytest.raises(UsageError, match="there is no key"):
        key(OPENAI, "https://api.openai.com/v1", OPENAI_API_KEY="  ")
    assert key(OPENAI, "https://api.openai.com/v1", OPENAI_API_KEY=" k1 \n") == "k1"


def test_secrets_do_not_show_themselves() -> None:
    secret = Secret("hidden-value")
    assert "hidden" not in repr(secret)
    assert f"Bearer {secret}" == "Bearer hidden-value"
    assert "secret" not in repr(trust())
    try:
        raise ValueError
    except ValueError as error:
        frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    assert all("hidden-value" not in shown for frame in frames for shown in (frame.locals or {}).values())
