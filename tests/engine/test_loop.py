"""The event loop that judges run in."""

from __future__ import annotations

import asyncio
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from evalharness.engine import run


async def _running() -> tuple[object, ...]:
    return (asyncio.get_running_loop(),)


def test_the_faster_loop_is_used_where_it_is_installed(monkeypatch: pytest.MonkeyPatch):
    class Loop(asyncio.SelectorEventLoop):
        pass

    fast = ModuleType("uvloop")
    fast.__spec__ = ModuleSpec("uvloop", None)
    fast.new_event_loop = Loop  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "uvloop", fast)
    (loop,) = run._run_async(_running())  # type: ignore[arg-type]
    assert type(loop) is Loop
    assert loop.is_closed()


def test_without_it_the_usual_one_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda _name: None)
    (loop,) = run._run_async(_running())  # type: ignore[arg-type]
    assert isinstance(loop, asyncio.BaseEventLoop)
