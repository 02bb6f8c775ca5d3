"""Checks of tool calls: whether the agent called a tool, and with which arguments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from evalharness.core.canonical import canonical_json
from evalharness.core.dialogue import Item, ToolCall, Unit
from evalharness.core.text import one_line
from evalharness.data.strictjson import JsonError, loads
from evalharness.errors import UsageError
from evalharness.metrics.checks import Answer, Check, shown

_ANYTHING = ""


@dataclass(frozen=True, kw_only=True)
class CallsTool(Check):
    """Whether the agent calls the tool ``tool`` (``negate``: never), with the ``arguments`` where some are given.

    ``arguments`` is JSON text. A call fits if it has every argument named there with that value, inside objects
    likewise; ``exact`` allows no others. By default the whole dialogue is looked at.
    """

    tool: str
    arguments: str = _ANYTHING
    exact: bool = False
    negate: bool = False
    unit: Unit = Unit.DIALOGUE

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        """The call that is sought."""
        return (
            ("tool", self.tool),
            ("arguments", self.arguments or None),
            ("exact", self.exact),
            ("negate", self.negate),
        )

    def answer(self, item: Item) -> Answer:
        """Whether such a call was made."""
        calls = _calls(item)
        named = [call for call in calls if call.name == self.tool]
        problems = [self._problem(call) for call in named]
        if None in problems:
            return Answer(not self.negate, f"called {shown(self.tool)}" if self.negate else "")
        if self.negate:
            return Answer(True)
        if problems:
            return Answer(False, f"called {shown(self.tool)}, but {problems[-1]}")
        others = ", ".join(dict.fromkeys(one_line(call.name, 40) for call in calls))
        return Answer(
            False, f"did not call {shown(self.tool)}" + (f"; called {one_line(others)}" if others else "")
        )

    def _problem(self, call: ToolCall) -> str | None:
        """Why a call does not fit; None if it does."""
        if not self.arguments:
            return None
        try:
            given = loads(call.arguments)
        except JsonError as error:
            return f"its arguments are no JSON: {one_line(str(error))}"
        return difference(_expected(self.arguments), given, exact=self.exact)


def parse_call(text: str) -> tuple[str, str]:
    """The tool and the canonical JSON of the arguments in ``NAME {"argument": value}``; the arguments may be absent."""
    tool, _, arguments = text.strip().partition(" ")
    if not tool:
        raise UsageError("the check names no tool", fix='Write tool:NAME or tool:NAME {"argument": "value"}.')
    if not arguments.strip():
        return tool, _ANYTHING
    try:
        value = loads(arguments)
    except JsonError as error:
        raise UsageError(f"the arguments of tool:{tool} are no JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"the arguments of tool:{tool} are no object", fix='Write {"argument": "value"}.')
    return tool, canonical_json(value)


def difference(expected: Any, given: Any, *, exact: bool, path: str = "") -> str | None:
    """Where a JSON value differs from what is expected of it; None where it does not.

    Objects may have more keys than expected unless ``exact``; arrays must have as many elements; numbers are compared
    by value, and truth values are not numbers.
    """
    if isinstance(expected, dict) and isinstance(given, dict):
        return _object_difference(expected, given, exact, path)
    if isinstance(expected, list) and isinstance(given, list) and len(expected) == len(given):
        for place, (wanted, value) in enumerate(zip(expected, given, strict=True)):
            if found := difference(wanted, value, exact=exact, path=f"{path}[{place}]"):
                return found
        return None
    if _kind(expected) is _kind(given) and expected == given:
        return None
    return f"{path or 'the value'} is {shown(canonical_json(given))}, not {shown(canonical_json(expected))}"


def _object_difference(expected: dict[str, Any], given: dict[str, Any], exact: bool, path: str) -> str | None:
    for key, wanted in expected.items():
        where = f"{path}.{key}" if path else key
        if key not in given:
            return f"{shown(where)} is missing"
        if found := difference(wanted, given[key], exact=exact, path=where):
            return found
    extra = [key for key in given if key not in expected] if exact else []
    return f"{shown(extra[0])} is not expected" if extra else None


def _kind(value: object) -> type:
    """The type of a JSON value, with one for all numbers."""
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


def _calls(item: Item) -> list[ToolCall]:
    turns = item.dialogue.assistant_turns() if item.turn is None else (item.turn,)
    return [call for turn in turns for call in item.dialogue.messages[turn].tool_calls]


@lru_cache(maxsize=256)
def _expected(arguments: str) -> Any:
    return loads(arguments)
