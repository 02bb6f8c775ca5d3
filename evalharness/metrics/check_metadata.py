"""A check of what a dialogue's metadata says: a reward, a status or a survey's answer that came with the log."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evalharness.core.dialogue import Item, Unit
from evalharness.core.scores import Cause, Failure, Result, Skip, SkipReason
from evalharness.core.text import one_line
from evalharness.errors import UsageError
from evalharness.metrics.checks import Answer, Check, shown

_RULE = re.compile(r"\s*(?P<key>[^<>=!]+?)\s*(?P<sign>>=|<=|>|<|!=|=)\s*(?P<value>.*?)\s*\Z", re.DOTALL)
_ORDERS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Metadata(Check):
    """Whether ``key`` of the metadata keeps ``sign value``: ``reward>=1``, ``status=solved``.

    A message's own metadata go before the dialogue's where turns are scored. Values are compared as numbers where
    both are numbers, else ``=`` and ``!=`` as text. An item without the key is skipped.
    """

    key: str
    sign: str
    value: str
    unit: Unit = Unit.DIALOGUE

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        """The rule."""
        return (("rule", f"{self.key}{self.sign}{self.value}"),)

    def answer(self, item: Item) -> Answer | Result:
        """Whether the metadata keep the rule."""
        own = {} if item.turn is None else item.message.metadata
        found = {**item.dialogue.metadata, **own}.get(self.key)
        if found is None:
            return Skip(SkipReason.NOTHING_TO_JUDGE, f"the metadata have no {shown(self.key)}")
        given, wanted = _number(found), _number(self.value)
        if given is not None and wanted is not None:
            kept = (
                _ORDERS[self.sign](given, wanted)
                if self.sign in _ORDERS
                else (given == wanted) == (self.sign == "=")
            )
        elif self.sign in _ORDERS:
            return Failure(Cause.SCORER_ERROR, f"{one_line(self.key, 60)} is {shown(str(found))}, no number")
        else:
            kept = (str(found) == self.value) == (self.sign == "=")
        return Answer(kept, "" if kept else f"{one_line(self.key, 60)} is {shown(str(found))}")


def parse_rule(text: str) -> tuple[str, str, str]:
    """Key, sign and value of ``KEY>=VALUE``; :class:`UsageError` for any other text."""
    match = _RULE.match(text)
    if match is None or not match["value"]:
        raise UsageError(
            f"{text!r} is no rule for metadata", fix="Write metadata:reward>=1 or metadata:status=solved."
        )
    if match["sign"] in _ORDERS and _number(match["value"]) is None:
        raise UsageError(f"{match['value']!r} is no number", fix=f"{match['sign']} compares numbers.")
    return match["key"], match["sign"], match["value"]


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and value.casefold() in ("true", "false"):
        return float(value.casefold() == "true")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
