from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evalharness.llm.retry_after import LONGEST, exhausted_for, retry_after

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def date(seconds: float, base: datetime = NOW) -> str:
    return format_datetime(base + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "nan", "retry-after": "9"}, 9.0),
        ({"retry-after": date(7), "date": date(0)}, 7.0),
        ({"retry-after": date(7)}, 7.0),
        ({"retry-after": "Fri, 20 Nov 2026 12:00:05", "date": date(0)}, 5.0),
        ({"x-ratelimit-reset-requests": "1m30s"}, 90.0),
        ({"x-ratelimit-reset-requests": "20ms"}, 0.02),
        ({"x-ratelimit-reset-tokens": "6m0s", "x-ratelimit-reset-requests": "1s"}, 360.0),
        ({"x-ratelimit-reset-tokens": "1.5s"}, 1.5),
        ({"x-ratelimit-reset-tokens": "2h3m"}, 7380.0),
        ({"x-ratelimit-reset-requests": "12"}, 12.0),
        ({"x-ratelimit-reset": str(int(NOW.timestamp()) + 30), "date": date(0)}, 30.0),
        ({"x-ratelimit-reset": str(1000 * (int(NOW.timestamp()) + 30)), "date": date(0)}, 30.0),
        ({"anthropic-ratelimit-requests-reset": "2026-11-20T12:00:08Z", "date": date(0)}, 8.0),
        ({"anthropic-ratelimit-input-tokens-reset": "2026-11-20T12:01:00+00:00", "date": date(0)}, 60.0),
    ],
)
def test_what_is_asked_for_is_understood(headers: dict[str, str], seconds: float) -> None:
    found = retry_after(headers, now=NOW, cap=1e9)
    assert found == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        "nan",
        "inf",
        "-inf",
        "-5",
        "0",
        "",
        "soon",
        "1e3",
        "1_0",
        "１",
        "0x10",
        "+3",
        "NaN",
        date(-60),
        "Fri, 99 Nov 2026",
        "2026",
        "None",
    ],
)
def test_nonsense_is_ignored(value: str) -> None:
    found = retry_after({"retry-after": value, "date": date(0)}, now=NOW)
    assert found is None or value == "2026"
    assert retry_after({"x-ratelimit-reset-requests": value.replace("2026", "x")}, now=NOW) is None


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_a_wrong_clock_does_no_harm(skew: float) -> None:
    """The server's clock is an hour off; its Date header is off by as much."""
    headers = {"retry-after": date(7 + skew), "date": date(skew)}
    assert retry_after(headers, now=NOW) == pytest.approx(7.0)


def test_waits_are_capped() -> None:
    assert retry_after({"retry-after": "3600"}, cap=120.0) == 120.0
    assert retry_after({"retry-after": "99999999"}) == LONGEST


def test_resets_of_limits_that_are_not_used_up_are_no_reason_to_wait() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-remaining-tokens": "900",
        "x-ratelimit-reset-tokens": "9s",
    }
    assert retry_after(headers) == 2.0
    assert exhausted_for(headers) == 2.0
    assert exhausted_for({**headers, "x-ratelimit-remaining-requests": "1"}) is None


def test_a_successful_answer_must_state_that_nothing_remains() -> None:
    assert exhausted_for({"x-ratelimit-reset-requests": "2s"}) is None
    assert exhausted_for({"anthropic-ratelimit-requests-remaining": "0"}) is None


@example({"retry-after": "0\x1f"})
@example({"retry-after": "0001-01-01", "date": "Mon, 01 Jan 0001 00:00:00 +2359"})
@example({"x-ratelimit-reset": "9999-12-31T23:59:59-23:59", "date": "Mon, 01 Jan 0001 00:00:00 +2359"})
@given(
    st.dictionaries(
        st.sampled_from(
            ["retry-after", "retry-after-ms", "date", "x-ratelimit-reset-requests", "x-ratelimit-reset"]
        ),
        st.text(max_size=30) | st.floats().map(str) | st.integers().map(str),
    )
)
def test_any_header_gives_a_usable_wait_or_none(headers: dict[str, str]) -> None:
    found = retry_after(headers)
    assert found is None or 0.0 < found <= LONGEST
