"""Copies of this process: what they send arrives, and what they can't do is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from evalharness.engine.forks import Copies, Work, can_copy, copies

pytestmark = pytest.mark.skipif(
    not can_copy(), reason="this machine has one processor or can't copy processes"
)


def _counting(start: int) -> Work:
    def work(send: Callable[[Any], None]) -> None:
        for number in range(start, start + 3):
            send((number, os.getpid()))

    return work


def test_what_every_copy_sends_arrives():
    with copies([_counting(0), _counting(10)]) as running:
        found = list(running.results())
    assert sorted(number for number, _ in found) == [0, 1, 2, 10, 11, 12]
    assert len({process for _, process in found} | {os.getpid()}) == 3


def test_more_than_a_pipe_holds_arrives():
    with copies([lambda send: send(b"x" * 3_000_000)]) as running:
        assert [len(found) for found in running.results()] == [3_000_000]


def test_a_copy_that_fails_ends_the_results_and_nothing_else():
    def failing(send: Callable[[Any], None]) -> None:
        send("before")
        raise RuntimeError

    with copies([failing, _counting(0)]) as running:
        found = list(running.results())
    assert "before" in found
    assert len(found) == 4


def test_a_copy_that_dies_in_the_middle_of_a_result_ends_the_results_and_nothing_else():
    def cut_off(send: Callable[[Any], None]) -> None:
        send("before")
        os.write(send.__self__.fileno(), b"\x00\x00\x10\x00half")  # type: ignore[attr-defined]

    with copies([cut_off]) as running:
        assert list(running.results()) == ["before"]


def test_copies_are_stopped_with_their_block():
    def endless(send: Callable[[Any], None]) -> None:
        send(os.getpid())
        signal.pause()

    running = Copies([endless])
    process = next(running.results())
    running.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_an_interrupt_of_the_terminal_is_left_to_the_parent():
    def patient(send: Callable[[Any], None]) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        send("alive")

    with copies([patient]) as running:
        assert list(running.results()) == ["alive"]


def test_where_the_system_allows_no_more_processes_nothing_is_sent(monkeypatch: pytest.MonkeyPatch):
    def refused() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refused)
    with copies([_counting(0)]) as running:
        assert list(running.results()) == []


def test_copies_die_with_a_process_that_is_killed():
    code = (
        "import signal\n"
        "from evalharness.engine.forks import Copies\n"
        "def endless(send):\n"
        "    print('ready', flush=True)\n"
        "    signal.pause()\n"
        "list(Copies([endless]).results())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
        assert process.stdout.read() == ""  # comes to its end when the copy, which holds it too, is gone
