"""Checks of an agent's trajectory: what can be decided about its tool calls without asking a judge.

Each looks at the calls of a whole dialogue and skips one without calls: an agent that calls nothing keeps no rule.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalharness.core.canonical import canonical_json, content_hash
from evalharness.core.dialogue import Dialogue, Item, Tool, Unit
from evalharness.core.scores import Cause, Column, Failure, Result, Skip, SkipReason
from evalharness.core.text import one_line
from evalharness.data.readers.parts import tools as read_tools
from evalharness.data.reading import RecordError
from evalharness.data.strictjson import JsonError, loads
from evalharness.errors import UsageError
from evalharness.metrics.check_json import fits
from evalharness.metrics.check_text import MATCH_SECONDS, pattern_timeout
from evalharness.metrics.checks import Answer, Check, shown
from evalharness.metrics.reference import Row
from evalharness.metrics.tool_calls import Made, made_calls

_SHOWN = 3
"""How many broken calls a reason names; the rest are counted."""
ADMITS = (
    r"error|fail|problem|issue|sorry|apolog|unable|unfortunately|can(?:no|['’])t|could ?n[o'’]t|impossible"
    r"|not (?:able|possible|found|available|enough|allowed)|unavailable|invalid"
    r"|leider|fehler|nicht|désolé|erreur|siento|no (?:se )?pud|scusa"
    r"|错误|抱歉|无法|失败|عذر|خطأ|آسف|エラー|申し訳"
)
"""Words by which a reply is taken to speak of an error, beside the error's own (``no-ignored-errors``)."""
_WORD = re.compile(r"[^\W\d_]{4,}|[\u3040-\u9fff]{2}")


@dataclass(frozen=True, kw_only=True)
class TrajectoryCheck(Check):
    """A rule about the agent's calls; ``unit`` is the dialogue, since results stand behind the calls."""

    unit: Unit = Unit.DIALOGUE

    def __post_init__(self) -> None:
        if self.unit is not Unit.DIALOGUE:
            raise UsageError(f"{self.name} looks at whole dialogues", fix="Leave out unit=turn.")

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        """None by default."""
        return ()

    def answer(self, item: Item) -> Answer | Result:
        """Whether every call of the agent keeps the rule."""
        calls = made_calls(item.dialogue)
        if not any(made.own for made in calls):
            return Skip(SkipReason.NOTHING_TO_JUDGE, "the agent calls no tool")
        return self.judged(item.dialogue, calls)

    @abstractmethod
    def judged(self, dialogue: Dialogue, calls: Sequence[Made]) -> Answer | Result:
        """The answer for a dialogue with at least one call of the agent's own."""


@dataclass(frozen=True, kw_only=True)
class _Declared(TrajectoryCheck):
    """A rule that needs to know the tools: those that the dialogue declares, or those of a file."""

    tools: tuple[Tool, ...] = field(default=(), repr=False)

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        """The hash of the tools that a file declares."""
        return (("tools", content_hash([_tool_json(tool) for tool in self.tools]) if self.tools else None),)

    def declared(self, dialogue: Dialogue) -> Mapping[str, Tool]:
        """The tools that an agent could call, by name."""
        return {tool.name: tool for tool in (*self.tools, *dialogue.tools)}


@dataclass(frozen=True, kw_only=True)
class KnownTools(_Declared):
    """Whether every call is of a tool that is declared."""

    def judged(self, dialogue: Dialogue, calls: Sequence[Made]) -> Answer | Result:
        """The calls of tools that nobody declared."""
        declared = self.declared(dialogue)
        if not declared:
            return Skip(SkipReason.NO_TOOLS, "no tool is declared")
        unknown = (
            f"{made.where} is not declared" for made in calls if made.own and made.call.name not in declared
        )
        return _kept(unknown)


@dataclass(frozen=True, kw_only=True)
class ValidArguments(_Declared):
    """Whether the arguments of every call are a JSON object that fits the tool's declared schema.

    ``strict`` refuses arguments that the schema has no property for. Calls of tools without a schema need only be JSON;
    a dialogue in which no schema is known is skipped unless even that is missing.
    """

    strict: bool = False

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        """The tools of the file, and whether further arguments are refused."""
        return (*super().options, ("strict", self.strict or None))

    def judged(self, dialogue: Dialogue, calls: Sequence[Made]) -> Answer | Result:
        """The calls whose arguments don't fit; a failure for a schema that is none."""
        declared = self.declared(dialogue)
        problems: list[str] = []
        held = False
        for made in calls:
            if not made.own:
                continue
            tool = declared.get(made.call.name)
            held = held or (tool is not None and bool(tool.parameters))
            found = self._problem(made, tool)
            if isinstance(found, Failure):
                return found
            if found:
                problems.append(f"{made.where}: {found}")
        if not held and not problems:
            return Skip(SkipReason.NO_TOOLS, "no tool that is called declares its arguments")
        return _kept(iter(problems))

    def _problem(self, made: Made, tool: Tool | None) -> str | Failure:
        try:
            arguments = loads(made.call.arguments or "{}")
        except JsonError as error:
            return f"its arguments are no JSON: {one_line(str(error), 80)}"
        if not isinstance(arguments, dict):
            return f"its arguments are no object: {shown(made.call.arguments)}"
        if tool is None or not tool.parameters:
            return ""
        try:
            answer = fits(canonical_json(dict(tool.parameters)), arguments)
        except UsageError as error:
            detail = f"the schema declared for {one_line(tool.name, 60)}: {error}"
            return Failure(Cause.SCORER_ERROR, one_line(detail, 300))
        if isinstance(answer, Failure):
            return answer
        return answer.reason if not answer.passed else self._extra(tool, arguments)

    def _extra(self, tool: Tool, arguments: Mapping[str, object]) -> str:
        known = tool.parameters.get("properties")
        if not self.strict or not isinstance(known, Mapping):
            return ""
        extra = next((name for name in arguments if name not in known), None)
        return "" if extra is None else f"{shown(extra)} is no argument of it"


@dataclass(frozen=True, kw_only=True)
class NoRepeatedCalls(TrajectoryCheck):
    """Whether no call is made again that had been made with equal arguments and gives the same result again.

    A call whose result has changed meanwhile was worth making. Where results are missing, equal calls are repetitions.
    """

    def judged(self, dialogue: Dialogue, calls: Sequence[Made]) -> Answer | Result:  # noqa: ARG002
        """The calls that brought nothing new."""
        return _kept(self._repeated(calls))

    def _repeated(self, calls: Sequence[Made]) -> Iterator[str]:
        last: dict[tuple[str, str], Made] = {}
        for made in calls:
            earlier = last.get(made.content)
            if earlier is not None and made.own and _text(earlier) == _text(made):
                yield f"{made.where} repeats [M{earlier.turn}]"
            last[made.content] = made


@dataclass(frozen=True, kw_only=True)
class NoToolErrors(TrajectoryCheck):
    """Whether no call of the agent returned an error."""

    def judged(self, dialogue: Dialogue, calls: Sequence[Made]) -> Answer | Result:  # noqa: ARG002
        """The calls that failed, with the start of what they returned."""
        return _kept(
            f"{made.where}: {shown(_text(made) or '')}" for made in calls if made.own and made.failed
        )


@dataclass(frozen=True, kw_only=True)
class NoIgnoredErrors(TrajectoryCheck):
    """Whether the agent reacts to every error: it calls a tool again, otherwise, or its next reply speaks of it.

    A reply speaks of an error if it has a word of the error's text (of four letters or more, its first five alike), or
    is matched by ``admits``. The very same call once more is no reaction; an error with nothing behind it is ignored.
    """

    admits: str = ADMITS

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        """The pattern, where it is not ours."""
        return (("admits", None if self.admits == ADMITS else self.admits),)

    def judged(self, dialogue: Dialogue, calls: Sequence[Made]) -> Answer | Result:
        """The errors that the agent went on without minding."""
        import regex

        try:
            pattern = regex.compile(self.admits, regex.IGNORECASE)
        except regex.error as error:
            raise UsageError(f"{self.name}: no pattern: {error}") from error
        try:
            failed = [made for made in calls if made.own and made.failed]
            ignored = [made for made in failed if not _reacted(made, dialogue, calls, pattern)]
        except TimeoutError:
            return pattern_timeout(self.admits)
        return _kept(f"{made.where}: nothing came of {shown(_text(made) or '')}" for made in ignored)


@dataclass(frozen=True, kw_only=True)
class CallsAnswered(TrajectoryCheck):
    """Whether every call has a result: a log in which results are missing can't be judged by them."""

    def judged(self, dialogue: Dialogue, calls: Sequence[Made]) -> Answer | Result:  # noqa: ARG002
        """The calls without a result."""
        return _kept(f"{made.where} has no result" for made in calls if made.own and made.result is None)


@dataclass(frozen=True, kw_only=True)
class MaxCalls(TrajectoryCheck):
    """Whether the agent makes at most ``limit`` calls."""

    limit: int

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        """The limit."""
        return (("limit", self.limit),)

    def judged(self, dialogue: Dialogue, calls: Sequence[Made]) -> Answer | Result:  # noqa: ARG002
        """The number of calls where there are more."""
        own = sum(made.own for made in calls)
        return Answer(own <= self.limit, "" if own <= self.limit else f"{own} calls")


@dataclass(frozen=True)
class Trajectory:
    """All rules that need no option, one column each; implements ``core.metric.Metric``."""

    tools: tuple[Tool, ...] = field(default=(), repr=False)
    strict: bool = False

    @property
    def unit(self) -> Unit:
        """Whole dialogues."""
        return Unit.DIALOGUE

    @property
    def checks(self) -> tuple[TrajectoryCheck, ...]:
        """The checks, in the order of their columns."""
        return (
            KnownTools(name="known-tools", tools=self.tools),
            ValidArguments(name="valid-arguments", tools=self.tools, strict=self.strict),
            CallsAnswered(name="calls-answered"),
            NoRepeatedCalls(name="no-repeated-calls"),
            NoToolErrors(name="no-tool-errors"),
            NoIgnoredErrors(name="no-ignored-errors"),
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """One column for each check."""
        return tuple(column for check in self.checks for column in check.columns)

    def score_many(self, items: Sequence[Item]) -> list[Row]:
        """1 or 0 for each item and check."""
        rows = [check.score_many(items) for check in self.checks]
        return [tuple(result for (result,) in row) for row in zip(*rows, strict=True)]


def load_tools(path: str) -> tuple[Tool, ...]:
    """The tools in a JSON file: a list in any provider's form, or an object with it under ``tools``."""
    try:
        value = loads(Path(path).read_bytes())
        return read_tools(value["tools"] if isinstance(value, dict) and "tools" in value else value)
    except (OSError, ValueError) as error:
        raise UsageError(f"can't read the tools of {path}: {error}") from error
    except RecordError as error:
        raise UsageError(f"{path}: {error.message}", fix=error.fix or None) from error


def _kept(broken: Iterator[str]) -> Answer:
    """Yes where nothing is broken; else no, with the first few."""
    found = list(broken)
    more = f"; {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return Answer(not found, "; ".join(found[:_SHOWN]) + more)


def _reacted(made: Made, dialogue: Dialogue, calls: Sequence[Made], admits: Any) -> bool:
    """Whether anything before the user's next message takes up the error that a call returned."""
    said = _stems(_text(made) or "")
    for turn in range(made.turn + 1, len(dialogue.messages)):
        message = dialogue.messages[turn]
        if message.role == "user":
            return False
        if message.role != "assistant":
            continue
        if said & _stems(message.content):
            return True
        if admits.search(message.content, timeout=MATCH_SECONDS):
            return True
        if any(later.turn == turn and later.content != made.content for later in calls):
            return True
    return False


def _stems(text: str) -> set[str]:
    return {word[:5] for word in _WORD.findall(text.casefold())}


def _text(made: Made) -> str | None:
    return None if made.result is None else made.result.content.strip()


def _tool_json(tool: Tool) -> dict[str, object]:
    return {"name": tool.name, "parameters": dict(tool.parameters)}
