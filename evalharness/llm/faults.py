"""What went wrong with an attempt, from the provider's status and error object: one classification for all back-ends.

| status | cause | again? |
|---|---|---|
| 3xx | protocol: redirects are not followed | once |
| 400, 422 | too_long, filtered, quota, auth or model_not_found when the error says so, else bad_request | no |
| 401, 403 | auth (a moderated request: filtered) | no, and the lane stops |
| 402, 429 with a quota code | quota | no, and the lane stops |
| 404, 410 | model_not_found | no, and the lane stops |
| 408, 504, 524 | timeout, outcome unknown | yes |
| 409, 425, 5xx | server_error (502 with unknown outcome) | yes |
| 413 | too_long | no |
| 429 | rate_limited (a single request above the limit: too_long) | yes, slower |
| 529 | server_error | yes, slower |
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from evalharness.core.scores import Cause
from evalharness.llm.client import ProviderFault
from evalharness.llm.retry_after import retry_after
from evalharness.llm.scrub import safe_detail

_TOO_LONG_CODES = frozenset(
    {"context_length_exceeded", "string_above_max_length", "exceed_context_size_error", "request_too_large"}
)
_QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "billing_error",
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "linked_organization_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "organization_on_hold",
        "quota_exceeded",
        "access_terminated",
    }
)
_AUTH_CODES = frozenset(
    {"invalid_api_key", "authentication_error", "permission_error", "account_deactivated"}
)
_MODEL_CODES = frozenset({"model_not_found", "DeploymentNotFound", "model_not_available"})
_FILTER_CODES = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "invalid_prompt",
        "ResponsibleAIPolicyViolation",
        "moderation",
    }
)
_TOO_LONG_TEXT = re.compile(
    r"context (?:length|window|size)|maximum context|prompt is too long|input is too long|too many (?:input )?tokens"
    r"|exceeds? (?:the )?(?:available |maximum |model'?s )?(?:context|token limit)|max_model_len"
    r"|reduce the length|input length and .{0,20}max_tokens",
    re.IGNORECASE,
)
_QUOTA_TEXT = re.compile(
    r"credit balance is too low|exceeded your current quota|insufficient (?:funds|credits?|balance)",
    re.IGNORECASE,
)
_FILTER_TEXT = re.compile(
    r"\b(?:flagged|moderation|content (?:policy|management policy|filter))", re.IGNORECASE
)
_MODEL_TEXT = re.compile(
    r"\bmodel\b.{0,80}(?:does not exist|not found|is not available|not supported for)",
    re.IGNORECASE | re.DOTALL,
)
_TOO_LARGE_TEXT = re.compile(r"request too large", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.\-\[\]]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")

_LONGEST_BODY = 1_000_000


@dataclass(frozen=True, slots=True)
class ErrorObject:
    """What an error answer says: names of the error (code, type …), the parameter it is about, and its message."""

    names: frozenset[str] = frozenset()
    label: str = ""
    message: str = ""

    def text(self, private: Iterable[str], secrets: Iterable[str]) -> str:
        """The label and the message, fit to be shown."""
        parts = (safe_detail(part, private, secrets) for part in (self.label, self.message))
        return ": ".join(part for part in parts if part)


def read_error(raw: bytes) -> ErrorObject:
    """The error object in a body, as far as there is one; HTML and other bodies say nothing that is shown."""
    try:
        value = json.loads(raw[:_LONGEST_BODY])
    except (ValueError, RecursionError):
        return ErrorObject()
    error = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(error, str):
        return ErrorObject(message=error)
    if not isinstance(error, dict):
        return ErrorObject()
    return _error_object(error)


def _error_object(error: Mapping[str, Any]) -> ErrorObject:
    inner = error.get("innererror")
    details = error.get("details")
    code, kind = _name(error.get("code")), _name(error.get("type"))
    more = (
        _name(inner.get("code")) if isinstance(inner, dict) else "",
        _name(details.get("error_code")) if isinstance(details, dict) else "",
    )
    message = error.get("message", error.get("detail"))
    return ErrorObject(
        frozenset(name for name in (code, kind, *more) if name),
        label=" ".join(
            dict.fromkeys(name for name in (*more, code or kind, _name(error.get("param"))) if name)
        ),
        message=message if isinstance(message, str) else "",
    )


def _name(value: object) -> str:
    """A code as it may be shown: short and made of identifier characters, else nothing."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""


def fault_of_status(
    status: int,
    headers: Mapping[str, str],
    raw: bytes,
    *,
    private: Iterable[str] = (),
    secrets: Iterable[str] = (),
) -> ProviderFault:
    """The fault of an answer whose status is not 200.

    ``private`` are texts that the detail must not quote (the dialogue), ``secrets`` the keys in use.
    """
    if 300 <= status < 400:
        host = safe_detail(_redirect_host(headers), private, secrets)
        return protocol_fault(f"redirect{host} not followed", status=status)
    error = read_error(raw)
    shown = error.text(private, secrets)
    detail = f"status {status}: {shown}" if shown else f"status {status}"
    return _classified(status, error, detail, retry_after(headers))


def _classified(status: int, error: ErrorObject, detail: str, wait: float | None) -> ProviderFault:
    said = _cause_in_words(status, error)
    if said is not None:
        return _final(said, detail, status)
    if status in (401, 403):
        return _final(Cause.AUTH, detail, status)
    if status == 402:
        return _final(Cause.QUOTA, detail, status)
    if status in (404, 410):
        return _final(Cause.MODEL_NOT_FOUND, detail, status)
    if status == 413:
        return _final(Cause.TOO_LONG, detail, status)
    return _transient(status, detail, wait) or _final(Cause.BAD_REQUEST, detail, status)


def _transient(status: int, detail: str, wait: float | None) -> ProviderFault | None:
    if status == 429:
        return ProviderFault(
            Cause.RATE_LIMITED, detail, retryable=True, rate_limited=True, retry_after=wait, status=status
        )
    if status in (408, 504, 524):
        return ProviderFault(
            Cause.TIMEOUT, detail, retryable=True, unknown_outcome=True, retry_after=wait, status=status
        )
    if status in (409, 425) or (status >= 500 and status != 501):
        return ProviderFault(
            Cause.SERVER_ERROR,
            detail,
            retryable=True,
            unknown_outcome=status == 502,
            rate_limited=status == 529,
            retry_after=wait,
            status=status,
        )
    return None


def _cause_in_words(status: int, error: ErrorObject) -> Cause | None:
    """The cause that the error object names, where it is more telling than the status."""
    if status >= 500 or status in (401, 402, 408, 409):
        return None
    by_name = _cause_by_name(error)
    if by_name is not None and not (status in (403, 404, 429) and by_name is Cause.TOO_LONG):
        return by_name
    message = error.message[:2000]
    if status == 429:
        return _first_cause(message, ((_QUOTA_TEXT, Cause.QUOTA), (_TOO_LARGE_TEXT, Cause.TOO_LONG)))
    if status == 403:
        return _first_cause(message, ((_FILTER_TEXT, Cause.FILTERED),))
    if status in (400, 413, 422):
        return _first_cause(
            message,
            (
                (_QUOTA_TEXT, Cause.QUOTA),
                (_TOO_LONG_TEXT, Cause.TOO_LONG),
                (_MODEL_TEXT, Cause.MODEL_NOT_FOUND),
                (_FILTER_TEXT, Cause.FILTERED),
            ),
        )
    return None


def _cause_by_name(error: ErrorObject) -> Cause | None:
    for names, cause in (
        (_QUOTA_CODES, Cause.QUOTA),
        (_AUTH_CODES, Cause.AUTH),
        (_MODEL_CODES, Cause.MODEL_NOT_FOUND),
        (_FILTER_CODES, Cause.FILTERED),
        (_TOO_LONG_CODES, Cause.TOO_LONG),
    ):
        if names & error.names:
            return cause
    return None


def _first_cause(message: str, table: Iterable[tuple[re.Pattern[str], Cause]]) -> Cause | None:
    return next((cause for pattern, cause in table if pattern.search(message)), None)


_FATAL = frozenset({Cause.AUTH, Cause.QUOTA, Cause.MODEL_NOT_FOUND})


def _final(cause: Cause, detail: str, status: int | None) -> ProviderFault:
    return ProviderFault(cause, detail, fatal=cause in _FATAL, status=status)


def _redirect_host(headers: Mapping[str, str]) -> str:
    try:
        host = urlsplit(headers.get("location", "")).hostname or ""
    except ValueError:
        return ""
    return f" to {host}" if _HOST.fullmatch(host) else ""


def protocol_fault(detail: str, *, status: int | None = 200) -> ProviderFault:
    """An answer that the provider's API does not describe; it may have been billed."""
    return ProviderFault(Cause.PROTOCOL, detail, retryable=True, unknown_outcome=status == 200, status=status)


def timeout_fault(detail: str, *, sent: bool) -> ProviderFault:
    """No answer in time; ``sent`` tells whether the request may have reached the provider."""
    return ProviderFault(Cause.TIMEOUT, detail, retryable=True, unknown_outcome=sent)


def connection_fault(detail: str, *, sent: bool, fatal: bool = False) -> ProviderFault:
    """No connection, or one that broke."""
    return ProviderFault(Cause.CONNECTION, detail, retryable=not fatal, fatal=fatal, unknown_outcome=sent)


def auth_fault(detail: str) -> ProviderFault:
    """Credentials that are missing or refused."""
    return _final(Cause.AUTH, detail, None)


def same_fault(fault: ProviderFault, *, detail: str = "", fatal: bool | None = None) -> ProviderFault:
    """A fresh fault for another call that meets the same obstacle without having sent anything."""
    return ProviderFault(
        fault.cause,
        detail or fault.detail,
        retryable=False,
        fatal=fault.fatal if fatal is None else fatal,
        retry_after=fault.retry_after,
        status=fault.status,
    )
