"""How long a provider asks us to wait, out of the many headers that say so.

Understood, in this order: ``retry-after-ms``; ``retry-after`` in seconds or as an HTTP date, which is measured against
the answer's own ``Date`` header so that a wrong clock on either side does no harm; then the resets of exhausted rate
limits (``x-ratelimit-reset-*`` such as ``1m30s``, ``anthropic-ratelimit-*-reset`` as RFC 3339). Values that are not a
positive finite time (nan, inf, negative, past, garbage) are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 3600.0
"""No wait beyond this many seconds is ever taken from a header."""

_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?", re.ASCII)
_DURATION = re.compile(
    r"(?:(?P<d>[0-9]{1,6})d)?(?:(?P<h>[0-9]{1,6})h)?(?:(?P<m>[0-9]{1,6})m(?!s))?"
    r"(?:(?P<s>[0-9]{1,9}(?:\.[0-9]{1,9})?)s)?(?:(?P<ms>[0-9]{1,9}(?:\.[0-9]{1,9})?)ms)?",
    re.ASCII,
)
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_EPOCH_SECONDS = 1e8
_EPOCH_MILLISECONDS = 1e11
_LIMITED = ("requests", "tokens", "input-tokens", "output-tokens")


def retry_after(
    headers: Mapping[str, str], *, cap: float = LONGEST, now: datetime | None = None
) -> float | None:
    """Seconds that the answer asks to wait, at most ``cap``; None when it asks for nothing usable.

    ``headers`` must find names written in lower case. ``now`` (wall clock, UTC) stands in for a missing Date header.
    """
    sent = _sent_at(headers, now)
    for wait in (
        _scaled(headers.get("retry-after-ms"), 0.001),
        _seconds_or_date(headers.get("retry-after"), sent),
        _longest_reset(headers, sent),
    ):
        if wait is not None:
            return min(wait, cap)
    return None


def exhausted_for(
    headers: Mapping[str, str], *, cap: float = LONGEST, now: datetime | None = None
) -> float | None:
    """Seconds until a limit resets of which nothing remains, as told by a successful answer; None otherwise."""
    wait = _longest_reset(headers, _sent_at(headers, now), certain=True)
    return None if wait is None else min(wait, cap)


def _longest_reset(headers: Mapping[str, str], sent: datetime, *, certain: bool = False) -> float | None:
    waits = [_reset(reset, sent) for remaining, reset in _limits(headers) if _used_up(remaining, certain)]
    known = [wait for wait in waits if wait is not None]
    return max(known, default=None)


def _limits(headers: Mapping[str, str]) -> Iterator[tuple[str | None, str]]:
    """What remains and when it resets, for every limit that the headers speak of."""
    for name in _LIMITED:
        for remaining, reset in (
            (f"x-ratelimit-remaining-{name}", f"x-ratelimit-reset-{name}"),
            (f"anthropic-ratelimit-{name}-remaining", f"anthropic-ratelimit-{name}-reset"),
        ):
            if reset in headers:
                yield headers.get(remaining), headers[reset]
    if "x-ratelimit-reset" in headers:
        yield headers.get("x-ratelimit-remaining"), headers["x-ratelimit-reset"]


def _used_up(remaining: str | None, certain: bool) -> bool:
    return not certain if remaining is None else remaining.strip() == "0"


def _reset(value: str, sent: datetime) -> float | None:
    number = _scaled(value, 1.0)
    if number is not None and number >= _EPOCH_SECONDS:
        epoch = number / 1000 if number >= _EPOCH_MILLISECONDS else number
        return _positive(epoch - sent.timestamp())
    return number or _duration(value) or _until(_rfc3339(value), sent)


def _seconds_or_date(value: str | None, sent: datetime) -> float | None:
    if value is None:
        return None
    return _scaled(value, 1.0) or _until(_http_date(value), sent)


def _scaled(value: str | None, unit: float) -> float | None:
    match = _NUMBER.fullmatch(value.strip()) if value is not None else None
    return None if match is None else _positive(float(match.group()) * unit)


def _duration(value: str) -> float | None:
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        return None
    return _positive(
        sum(float(amount) * _UNITS[unit] for unit, amount in match.groupdict(default="0").items())
    )


def _until(moment: datetime | None, sent: datetime) -> float | None:
    return None if moment is None else _positive((moment - sent).total_seconds())


def _positive(seconds: float) -> float | None:
    return seconds if seconds > 0 else None


def _sent_at(headers: Mapping[str, str], now: datetime | None) -> datetime:
    return _http_date(headers.get("date")) or now or datetime.now(UTC)


def _http_date(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        return _aware(parsedate_to_datetime(value))
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _rfc3339(value: str) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(value.strip()))
    except (ValueError, OverflowError):
        return None


def _aware(moment: datetime) -> datetime:
    """Dates without a zone are UTC, as HTTP has it."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
