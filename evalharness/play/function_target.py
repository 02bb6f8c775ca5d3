"""A Python function as the system under test: ``module:function``, plain or async."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalharness.core.dialogue import Message
from evalharness.errors import UsageError
from evalharness.play.target import Asked, TargetCause, TargetError, read_reply


@dataclass
class FunctionTarget:
    """Calls ``function(messages)``; a plain function runs on a thread, so that workers don't wait for each other."""

    function: Callable[[Any], Any]
    timeout: float

    async def reply(self, asked: Asked) -> tuple[Message, ...]:
        """The function's answer. What it raises is a crash of the target, not of ours."""
        messages = [dict(message) for message in asked.messages]
        try:
            async with asyncio.timeout(self.timeout):
                if inspect.iscoroutinefunction(self.function):
                    value = await self.function(messages)
                else:
                    value = await asyncio.to_thread(self.function, messages)
        except TimeoutError:
            raise TargetError(TargetCause.TIMEOUT, f"no answer within {self.timeout:g} s") from None
        except Exception as fault:
            raise TargetError(TargetCause.CRASHED, f"{type(fault).__name__} was raised") from fault
        return read_reply(value)

    async def close(self) -> None:
        """Nothing is held."""


def find_function(name: str) -> Callable[[Any], Any]:
    """The function that ``module:function`` names, looked for in the working folder, too."""
    module, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as fault:
        raise UsageError(
            f"the target {name!r} can't be imported: {fault}", fix="Write module:function."
        ) from fault
    if not callable(found):
        raise UsageError(f"the target {name!r} is no function")
    function: Callable[[Any], Any] = found
    return function
