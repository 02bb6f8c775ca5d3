"""The built-in metrics and checks by name, and what makes each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evalharness.core.dialogue import Unit
from evalharness.errors import UsageError
from evalharness.metrics.bleu import Bleu
from evalharness.metrics.check_json import IsJson, load_schema
from evalharness.metrics.check_metadata import Metadata, parse_rule
from evalharness.metrics.check_python import PythonCheck
from evalharness.metrics.check_text import Contains, Length, Matches
from evalharness.metrics.check_tools import CallsTool, parse_call
from evalharness.metrics.check_trajectory import (
    CallsAnswered,
    KnownTools,
    MaxCalls,
    NoIgnoredErrors,
    NoRepeatedCalls,
    NoToolErrors,
    Trajectory,
    ValidArguments,
    load_tools,
)
from evalharness.metrics.chrf import Chrf
from evalharness.metrics.coco import CocoBleu, CocoRougeL
from evalharness.metrics.rouge import TYPES, Rouge
from evalharness.metrics.surface import MEASURES, Surface
from evalharness.metrics.ter import Ter


@dataclass(frozen=True, slots=True)
class Maker:
    """What makes a scorer: a class or function, values that the name implies, and where the text after ``:`` goes.

    Its other parameters are the options that a user may give in brackets.
    """

    make: Callable[..., Any]
    implied: Mapping[str, Any] = field(default_factory=dict)
    argument: str | None = None


def _rouge(*types: str) -> Maker:
    return Maker(Rouge, {"types": types})


def _json_schema(
    *, file: str, name: str, fenced: bool = False, unit: Unit = Unit.TURN, must: bool = False
) -> IsJson:
    if not file:
        raise UsageError("json-schema names no file", fix="Write json-schema:FILE, or json for any JSON.")
    return IsJson(name=name, schema=load_schema(file), fenced=fenced, unit=unit, must=must)


def _tool(
    *,
    call: str,
    name: str,
    negate: bool,
    exact: bool = False,
    unit: Unit = Unit.DIALOGUE,
    must: bool = False,
) -> CallsTool:
    tool, arguments = parse_call(call)
    return CallsTool(
        name=name, tool=tool, arguments=arguments, exact=exact, negate=negate, unit=unit, must=must
    )


def _known_tools(*, file: str, name: str, must: bool = False) -> KnownTools:
    return KnownTools(name=name, tools=load_tools(file) if file else (), must=must)


def _valid_arguments(*, file: str, name: str, strict: bool = False, must: bool = False) -> ValidArguments:
    return ValidArguments(name=name, tools=load_tools(file) if file else (), strict=strict, must=must)


def _trajectory(*, tools: str = "", strict: bool = False) -> Trajectory:
    return Trajectory(load_tools(tools) if tools else (), strict)


def _metadata(*, rule: str, name: str, unit: Unit = Unit.DIALOGUE, must: bool = False) -> Metadata:
    key, sign, value = parse_rule(rule)
    return Metadata(name=name, key=key, sign=sign, value=value, unit=unit, must=must)


METRICS: Mapping[str, Maker] = {
    "bleu": Maker(Bleu),
    "bleu:coco": Maker(CocoBleu),
    "chrf": Maker(Chrf, {"word_order": 0}),
    "chrf++": Maker(Chrf, {"word_order": 2}),
    "ter": Maker(Ter),
    "rouge": _rouge("rouge1", "rouge2", "rougeL"),
    **{name: _rouge(name) for name in TYPES},
    "rougeL:coco": Maker(CocoRougeL),
    "surface": Maker(Surface, {"measures": ()}),
    **{name: Maker(Surface, {"measures": (name,)}) for name in MEASURES},
    "trajectory": Maker(_trajectory),
}

CHECKS: Mapping[str, Maker] = {
    "contains": Maker(Contains, {"negate": False}, "text"),
    "not-contains": Maker(Contains, {"negate": True}, "text"),
    "regex": Maker(Matches, {"negate": False}, "pattern"),
    "not-regex": Maker(Matches, {"negate": True}, "pattern"),
    "max-words": Maker(Length, {"words": True, "at_least": False}, "limit"),
    "min-words": Maker(Length, {"words": True, "at_least": True}, "limit"),
    "max-chars": Maker(Length, {"words": False, "at_least": False}, "limit"),
    "min-chars": Maker(Length, {"words": False, "at_least": True}, "limit"),
    "json": Maker(IsJson, {"schema": ""}),
    "json-schema": Maker(_json_schema, {}, "file"),
    "tool": Maker(_tool, {"negate": False}, "call"),
    "not-tool": Maker(_tool, {"negate": True}, "call"),
    "known-tools": Maker(_known_tools, {}, "file"),
    "valid-arguments": Maker(_valid_arguments, {}, "file"),
    "calls-answered": Maker(CallsAnswered),
    "no-repeated-calls": Maker(NoRepeatedCalls),
    "no-tool-errors": Maker(NoToolErrors),
    "no-ignored-errors": Maker(NoIgnoredErrors),
    "max-calls": Maker(MaxCalls, {}, "limit"),
    "metadata": Maker(_metadata, {}, "rule"),
    "python": Maker(PythonCheck, {}, "function"),
}
