"""What a run does with each thing that a provider may do: waits, error answers, broken connections, nonsense."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.cli.runner import scores
from tests.faultd import MALFORMED, Act, Answer, Break, Drip, Hang, Raw, Script, Seen, Status, Unclosed, once
from tests.reliability.bench import Bench
from tests.reliability.clocks import JumpingClock, RunningClock, install

ONE = ("--no-cache", "--concurrency", "1")
LONGEST = 120.0
"""The default of --max-wait, in seconds."""
FIRST_BACKOFF = 0.5
"""The longest wait of our own after a first failure, in seconds."""


def only(row: str, act: Act, times: int = 10**6) -> Script:
    """The act for the first attempts of one row, good answers for everything else."""
    return lambda seen: act if seen.row == row and seen.attempt <= times else Answer()


def polite(bench: Bench, out: str) -> dict[str, dict[str, Any]]:
    """The outcomes of the rubric's one criterion, by dialogue."""
    return {line["dialogue"]: line for line in scores(bench.work / out) if line["criterion"] == "polite"}


def dated(seconds: float, skew: float = 0.0) -> dict[str, str]:
    """Retry-After as a date, from a server whose clock is ``skew`` seconds wrong."""
    now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=skew)
    return {
        "date": format_datetime(now, usegmt=True),
        "retry_after": format_datetime(now + timedelta(seconds=seconds), usegmt=True),
    }


WAITS: dict[str, tuple[dict[str, str], float | None]] = {
    "seconds": ({"retry_after": "30"}, 30.0),
    "fraction": ({"retry_after": "1.5"}, 1.5),
    "milliseconds": ({"retry_after_ms": "2500"}, 2.5),
    "date": (dated(40), 40.0),
    "date_of_a_fast_clock": (dated(40, 3600), 40.0),
    "date_of_a_slow_clock": (dated(40, -3600), 40.0),
    "an_hour": ({"retry_after": "3600"}, LONGEST),
    "past": (dated(-60), None),
    "nan": ({"retry_after": "nan"}, None),
    "inf": ({"retry_after": "inf"}, None),
    "negative": ({"retry_after": "-5"}, None),
    "zero": ({"retry_after": "0"}, None),
    "garbage": ({"retry_after": "soon"}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_wait_that_is_asked_for_is_kept_to_and_capped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str
):
    """R2: the next request leaves after what was asked, at most 20 % later; nonsense means our own back-off."""
    headers, asked = WAITS[name]
    clock = JumpingClock()
    install(monkeypatch, clock)
    times: list[float] = []
    refusal = Status(429, "rate_limit_exceeded", **headers)

    def script(seen: Seen) -> Act:
        times.append(clock.now())
        return refusal if len(times) == 4 else Answer()

    bench.server.script = script
    assert bench.here("r", *ONE).code == 0
    assert len(times) == bench.rows + 1
    waited = times[4] - times[3]
    if asked is None:
        assert 0.0 < waited <= FIRST_BACKOFF
    else:
        assert asked <= waited <= 1.2 * asked
    assert times[3] == 0.0
    assert times[-1] == times[4]


def test_another_lane_goes_on_while_one_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """R2: time stands still for the lane that was asked to wait, until the other one has all its answers."""
    clock = JumpingClock()
    clock.held = True
    install(monkeypatch, clock)
    asked: Counter[str] = Counter()

    def script(seen: Seen) -> Act:
        model = seen.body["model"]
        asked[model] += 1
        if asked["quick"] == bench.rows:
            clock.held = False
        if model == "slow" and asked[model] == 1:
            return Status(429, "rate_limit_exceeded", retry_after="60")
        return Answer()

    bench.server.script = script
    judges = [f"{name}=openai:{name}@{bench.server.url}" for name in ("slow", "quick")]
    ran = bench.here("r", *ONE, "--judge", judges[0], "--judge", judges[1])
    assert ran.code == 0, ran.err
    assert asked == {"slow": bench.rows + 1, "quick": bench.rows}


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 529])
def test_a_row_that_the_provider_never_answers_fails_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, status: int
):
    """R4: attempts up to the cap, then a failure with its cause; the others are scored; asked again next time."""
    install(monkeypatch, JumpingClock())
    body = b"<html><body>Bad gateway</body></html>" if status == 502 else b'{"error": {"message": "no"}}'
    bench.server.script = only("d3", Raw(status, body))
    ran = bench.here("r", *ONE, "--attempts", "4")
    assert ran.code == 0, ran.err
    assert bench.asked() == {f"d{n}": 4 if n == 3 else 1 for n in range(bench.rows)}
    found = polite(bench, "r")
    assert found.pop("d3")["status"] == "failed"
    assert {line["status"] for line in found.values()} == {"scored"}
    bench.server.script = lambda _seen: Answer()
    assert bench.here("r", *ONE).code == 0
    assert bench.here("whole", *ONE).code == 0
    assert bench.report("r") == bench.report("whole")


TOXICS: dict[str, tuple[Act, bool]] = {
    "reset_before": (Break(), True),
    "close_before": (Break(reset=False), True),
    "reset_after_headers": (Break("headers"), True),
    "reset_in_body": (Break("half"), True),
    "close_in_body": (Break("half", reset=False), True),
    "cut_chunk": (Break(chunked=True), True),
    "never_answered": (Hang(), True),
    "never_closed": (Unclosed(), True),
    "dripped": (Drip(0.5), True),
    "sliced": (Drip(0.0, 7), False),
}


ENDLESS = {"never_answered", "never_closed", "dripped"}
"""Those that only the deadline of the attempt ends."""


@pytest.mark.parametrize("name", TOXICS)
def test_every_request_that_left_is_in_the_ledger_with_its_outcome(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str
):
    """R5, R6: broken, hanging and dripping answers end in time, are asked again, and are counted as unknown."""
    install(monkeypatch, JumpingClock())
    act, lost = TOXICS[name]
    bench.write(4)
    assert bench.here("whole", "--no-cache").code == 0
    bench.forget()
    bench.server.script = once(act)
    endless = ("--attempt-timeout", "2") if name in ENDLESS else ()
    ran = bench.here("r", "--no-cache", *endless)
    assert ran.code == 0, ran.err
    assert bench.report("r") == bench.report("whole")
    attempts = bench.attempts("r")
    assert sum(attempts.values()) == bench.server.count == (8 if lost else 4)
    assert attempts.get("unknown", 0) == bench.execution("r")["unknown_outcome"] == (4 if lost else 0)


def test_silence_for_ever_ends_at_the_deadline(bench: Bench):
    """R6: a provider that takes requests and says nothing costs each call its deadline, not more."""
    bench.write(3)
    bench.server.script = lambda _seen: Hang()
    ran = bench.here("r", "--no-cache", "--deadline", "0.6", "--attempt-timeout", "0.3")
    assert ran.code == 0, ran.err
    assert {line["cause"] for line in polite(bench, "r").values()} == {"timeout"}
    assert all(1 <= count <= 2 for count in bench.asked().values())


BODIES: dict[str, bytes] = {
    **MALFORMED,
    **{f"cut_{n}": b'{"id": "x", "object": "chat.completion", "choices": [{"index": 0, "message": {}}'[:n]
       for n in range(1, 80, 3)},
    **{f"bytes_{n}": bytes([n]) * 5 for n in range(0, 256, 5)},
}  # fmt: skip


def test_answers_that_are_none_become_failures_and_no_verdict(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """R7: each body is what one dialogue always gets; none may crash the run or become a score."""
    install(monkeypatch, JumpingClock())
    names = list(BODIES)
    bench.write(2 * len(names))
    bench.server.script = lambda seen: (
        Answer() if int(seen.row[1:]) % 2 else Raw(200, BODIES[names[int(seen.row[1:]) // 2]])
    )
    ran = bench.here("r", "--no-cache")
    assert ran.code == 0, ran.err
    found = polite(bench, "r")
    told = {names[n]: (found[f"d{2 * n}"]["status"], found[f"d{2 * n}"]["cause"]) for n in range(len(names))}
    assert told == dict.fromkeys(names, ("failed", "protocol"))
    assert {found[f"d{2 * n + 1}"]["status"] for n in range(len(names))} == {"scored"}
    assert max(bench.asked().values()) == 2


@pytest.mark.parametrize(
    "said",
    [Answer(model="m-2026-11-01"), Answer(usage=False), Answer(headers={"x-odd": "\xff"})],
    ids=["model", "usage", "header"],
)
def test_answers_with_an_oddity_are_verdicts(bench: Bench, said: Answer):
    """R7: another model's name and missing counts are told, and the verdict stands."""
    assert bench.here("whole", "--no-cache").code == 0
    bench.server.script = lambda _seen: said
    ran = bench.here("r", "--no-cache")
    assert ran.code == 0, ran.err
    found, whole = polite(bench, "r"), polite(bench, "whole")
    assert {row: line["value"] for row, line in found.items()} == {
        row: line["value"] for row, line in whole.items()
    }


TEXTS: dict[str, tuple[Answer, str]] = {
    "cut_json": (Answer('{"polite": {"rationale": "fine", "val'), "no_verdict"),
    "no_verdict": (Answer("I like it."), "no_verdict"),
    "out_of_range": (Answer('{"polite": {"rationale": "fine", "value": 7}}'), "out_of_range"),
    "nan": (Answer('{"polite": {"rationale": "fine", "value": NaN}}'), "out_of_range"),
    "huge": (Answer('{"polite": {"rationale": "fine", "value": 1e400}}'), "out_of_range"),
    "two": (Answer('{"polite": {"value": 1}} or rather {"polite": {"value": 0}}'), "two_verdicts"),
    "empty": (Answer(""), "empty"),
    "refused": (Answer("I can't help with that.", finish="refusal"), "refusal"),
    "filtered": (Answer("", finish="filtered"), "filtered"),
    "too_long": (Answer('{"polite": {"rationale": "it goes on', finish="length"), "truncated"),
}


def test_texts_that_hold_no_single_verdict_become_failures_by_cause(bench: Bench):
    """R8: a score only from one verdict within the scale; else the cause by name, after one repair at most."""
    names = list(TEXTS)
    bench.write(len(names))
    bench.server.script = lambda seen: TEXTS[names[int(seen.row[1:])]][0]
    ran = bench.here("r", "--no-cache")
    assert ran.code == 0, ran.err
    found = {names[int(row[1:])]: line for row, line in polite(bench, "r").items()}
    assert {name: line["cause"] for name, line in found.items()} == {
        n: cause for n, (_, cause) in TEXTS.items()
    }
    assert {line["status"] for line in found.values()} == {"failed"}
    assert max(bench.asked().values()) <= 2


def test_a_provider_that_is_down_for_ten_minutes_is_not_hammered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    """R25: 256 in flight meet an outage; then some probes, and by itself the run ends as if nothing was.

    Ten minutes pass in three seconds.
    """
    bench.write(300)
    whole = bench.here("whole", "--no-cache", "--concurrency", "256")
    assert whole.code == 0
    bench.forget()
    clock = RunningClock(200.0)
    install(monkeypatch, clock)
    during: list[float] = []

    def script(_seen: Seen) -> Act:
        now = clock.now()
        if during and now - during[0] >= 600.0:
            return Answer()
        during.append(now)
        return Break()

    bench.server.script = script
    ran = bench.here("r", "--no-cache", "--concurrency", "256")
    assert ran.code == 0, ran.err
    assert bench.report("r") == bench.report("whole")
    assert 10 <= len(during) <= 256 + 40  # a slow machine has fewer in flight before the ten minutes are over
