from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.scores import Cause
from evalharness.llm.client import ProviderFault
from evalharness.llm.faults import fault_of_status, read_error, same_fault


def fault(status: int, code: str = "", message: str = "", **headers: str) -> ProviderFault:
    body = {"error": {"code": code or None, "message": message, "type": "x"}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return fault_of_status(status, named, json.dumps(body).encode())


def kind(found: ProviderFault) -> tuple[str, str]:
    """The cause, and the flags by their first letters: retry, fatal, unknown outcome, limited."""
    flags = (
        ("r", found.retryable),
        ("f", found.fatal),
        ("u", found.unknown_outcome),
        ("l", found.rate_limited),
    )
    return found.cause.value, "".join(letter for letter, is_set in flags if is_set)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, ("protocol", "r")), (302, ("protocol", "r")), (307, ("protocol", "r")), (308, ("protocol", "r")),
        (400, ("bad_request", "")), (401, ("auth", "f")), (402, ("quota", "f")), (403, ("auth", "f")),
        (404, ("model_not_found", "f")), (405, ("bad_request", "")), (408, ("timeout", "ru")),
        (409, ("server_error", "r")), (410, ("model_not_found", "f")), (413, ("too_long", "")),
        (422, ("bad_request", "")), (425, ("server_error", "r")), (429, ("rate_limited", "rl")),
        (431, ("bad_request", "")), (500, ("server_error", "r")), (501, ("bad_request", "")),
        (502, ("server_error", "ru")), (503, ("server_error", "r")), (504, ("timeout", "ru")),
        (524, ("timeout", "ru")), (529, ("server_error", "rl")),
    ],
)  # fmt: skip
def test_by_status(status: int, expected: tuple[str, str]) -> None:
    found = fault(status)
    assert kind(found) == expected
    assert found.status == status


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        (400, "context_length_exceeded", "", ("too_long", "")),
        (400, "", "This model's maximum context length is 8192 tokens.", ("too_long", "")),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 210000 tokens > 200000 maximum",
            ("too_long", ""),
        ),
        (
            400,
            "exceed_context_size_error",
            "the request exceeds the available context size",
            ("too_long", ""),
        ),
        (400, "ValidationException", "Input is too long for requested model.", ("too_long", "")),
        (
            400,
            "invalid_request_error",
            "input length and `max_tokens` exceed context limit",
            ("too_long", ""),
        ),
        (429, "rate_limit_exceeded", "Request too large for gpt-6 on tokens per min", ("too_long", "")),
        (429, "rate_limit_exceeded", "Rate limit reached", ("rate_limited", "rl")),
        (429, "insufficient_quota", "You exceeded your current quota", ("quota", "f")),
        (429, "", "You exceeded your current quota, please check your plan", ("quota", "f")),
        (400, "invalid_request_error", "Your credit balance is too low to access the API", ("quota", "f")),
        (400, "enforced_spend_limit_reached", "", ("quota", "f")),
        (400, "invalid_api_key", "", ("auth", "f")),
        (400, "model_not_found", "", ("model_not_found", "f")),
        (400, "", "The model `gpt-7` does not exist", ("model_not_found", "f")),
        (404, "DeploymentNotFound", "", ("model_not_found", "f")),
        (400, "content_filter", "", ("filtered", "")),
        (400, "invalid_prompt", "", ("filtered", "")),
        (403, "", "Your input was flagged", ("filtered", "")),
        (403, "permission_error", "", ("auth", "f")),
        (400, "unsupported_parameter", "Unsupported parameter: 'temperature'", ("bad_request", "")),
        (500, "insufficient_quota", "", ("server_error", "r")),
        (503, "overloaded_error", "context length", ("server_error", "r")),
    ],
)
def test_by_what_the_error_says(status: int, code: str, message: str, expected: tuple[str, str]) -> None:
    assert kind(fault(status, code, message)) == expected


def test_azures_filter_and_anthropics_details_are_found() -> None:
    azure = {"error": {"code": "bad", "innererror": {"code": "ResponsibleAIPolicyViolation"}, "message": "m"}}
    assert fault_of_status(400, {}, json.dumps(azure).encode()).cause is Cause.FILTERED
    spend = {
        "type": "error",
        "error": {"type": "billing_error", "details": {"error_code": "organization_on_hold"}},
    }
    found = fault_of_status(403, {}, json.dumps(spend).encode())
    assert (found.cause, found.detail) == (Cause.QUOTA, "status 403: organization_on_hold billing_error")


def test_waits_are_taken_from_the_headers() -> None:
    assert fault(429, retry_after="2").retry_after == 2.0
    assert fault(503, retry_after="3").retry_after == 3.0
    assert fault(429, retry_after="nan").retry_after is None


def test_details_name_code_and_parameter_and_message() -> None:
    body = {
        "error": {
            "code": "unsupported_value",
            "param": "temperature",
            "message": "Only the default is supported.",
        }
    }
    found = fault_of_status(400, {}, json.dumps(body).encode())
    assert found.detail == "status 400: unsupported_value temperature: Only the default is supported."


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad gateway</html>", b"null", b"[]", b"[" * 99999, b"\xff", b'{"error": 5}']
)
def test_bodies_that_say_nothing_are_not_shown(body: bytes) -> None:
    assert fault_of_status(502, {}, body).detail == "status 502"


def test_fastapi_and_plain_string_errors_are_shown() -> None:
    assert read_error(b'{"detail": "model overloaded"}').message == "model overloaded"
    assert read_error(b'{"error": "model is loading"}').message == "model is loading"


def test_redirects_name_the_other_host_and_nothing_more() -> None:
    found = fault_of_status(307, {"location": "https://u:pw@portal.example/login?key=1"}, b"")
    assert found.detail == "redirect to portal.example not followed"
    assert fault_of_status(302, {"location": "http://[bad"}, b"").detail == "redirect not followed"


def test_neither_keys_nor_the_dialogue_are_quoted() -> None:
    body = {"error": {"message": "Invalid 'my dog Rex' with key sk-abcdefghijklmnop1234 and hunter77"}}
    found = fault_of_status(
        400, {}, json.dumps(body).encode(), private=["user: my dog Rex barks"], secrets=["hunter77"]
    )
    assert not {"dog", "Rex", "sk-abcdefghijklmnop1234", "hunter77"} & set(
        found.detail.replace("'", " ").split()
    )
    assert "Rex" not in str(found)


def test_a_code_that_repeats_the_key_or_the_dialogue_is_not_shown() -> None:
    key = "local-3f9a-key"
    body = {"error": {"code": key, "param": "Rosenheim", "message": "no"}}
    found = fault_of_status(500, {}, json.dumps(body).encode(), private=("to Rosenheim",), secrets=(key,))
    assert found.detail == "status 500: [secret] […]: no"


def test_a_lane_that_ended_raises_afresh() -> None:
    first = fault(401)
    again = same_fault(first)
    assert again is not first
    assert (again.cause, again.fatal, again.retryable, again.detail) == (
        Cause.AUTH,
        True,
        False,
        first.detail,
    )


@given(
    st.integers(300, 599),
    st.binary(max_size=300),
    st.dictionaries(st.sampled_from(["retry-after", "location"]), st.text(max_size=40)),
)
def test_any_answer_is_some_fault(status: int, body: bytes, headers: dict[str, str]) -> None:
    found = fault_of_status(status, headers, body)
    assert not (found.fatal and found.retryable)
    assert len(found.detail) < 500
    found.detail.encode()
