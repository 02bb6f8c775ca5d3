"""From what a user writes to scorers: ``bleu``, ``rouge(stem=true)``, ``bleu:coco``, ``contains:refund`` …

A scorer is written ``NAME``, ``NAME(option=value, …)``, and for checks and variants ``NAME:TEXT``, with both
``NAME(option=value):TEXT``. Several metrics may stand in one text, with commas between them; a check takes all of the
text that follows its colon. ``name=…`` names the column, so that a metric can run twice with different options.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Union, get_args, get_origin, get_type_hints

from evalharness.core import registry
from evalharness.core.dialogue import Unit
from evalharness.core.metric import CorpusMetric, Metric
from evalharness.core.registry import load_plugin, plugins, unknown_name
from evalharness.core.text import one_line
from evalharness.errors import UsageError
from evalharness.metrics.catalog import CHECKS, METRICS, Maker

_SPEC = re.compile(
    r"\s*(?P<head>[^\s(:,]+)\s*(?:\((?P<options>[^)]*)\))?\s*(?::(?P<argument>.*))?\Z", re.DOTALL
)
_HEAD = re.compile(r"\s*([^\s(:,]+)")
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True, slots=True)
class Spec:
    """One scorer as it was written."""

    text: str
    head: str
    options: Mapping[str, str] = field(default_factory=dict)
    argument: str | None = None

    @property
    def full_name(self) -> str:
        """The head with the argument, as a variant of a metric is named."""
        return self.head if self.argument is None else f"{self.head}:{self.argument.strip()}"


def parse_metrics(specs: Iterable[str]) -> tuple[Metric, ...]:
    """The metrics and checks that the texts name, in order; :class:`UsageError` for one that does not exist or fit."""
    return tuple(make(spec) for spec in read_specs(specs))


def parse_corpus_metrics(specs: Iterable[str]) -> tuple[CorpusMetric, ...]:
    """Those of the metrics that have a corpus score. Checks have none, and are not made: no file of theirs is read."""
    made = [make(spec) for spec in read_specs(specs) if not _is_check(spec.head)]
    return tuple(metric for metric in made if isinstance(metric, CorpusMetric))


def metric_names() -> tuple[str, ...]:
    """The names of all metrics, built in and from plug-ins."""
    return (*METRICS, *sorted(plugins(registry.METRICS)))


def check_names() -> tuple[str, ...]:
    """The names of all checks, built in and from plug-ins."""
    return (*CHECKS, *sorted(plugins(registry.CHECKS)))


def read_specs(specs: Iterable[str]) -> list[Spec]:
    """The scorers in the texts, one by one."""
    return [_read(part) for text in specs for part in _split(text)]


def make(spec: Spec) -> Metric:
    """The scorer that a spec names."""
    if spec.head in CHECKS:
        return _checked(spec, _bind(spec, CHECKS[spec.head], name=spec.text))
    if spec.full_name in METRICS:
        return _checked(spec, _bind(spec, METRICS[spec.full_name]))
    if (factory := load_plugin(registry.CHECKS, spec.head)) is not None:
        return _checked(spec, _bind(spec, Maker(factory, {}, "argument"), name=spec.text))
    if spec.argument is None and (factory := load_plugin(registry.METRICS, spec.head)) is not None:
        return _checked(spec, _bind(spec, Maker(factory)))
    raise unknown_name("metric or check", one_line(spec.full_name, 60), (*metric_names(), *check_names()))


def _is_check(head: str) -> bool:
    return head in CHECKS or (head not in METRICS and head in plugins(registry.CHECKS))


def _split(text: str) -> Iterator[str]:
    """The scorers of a text with commas; from the first check on, everything belongs to it."""
    while text.strip():
        head = _HEAD.match(text)
        end = len(text) if head is not None and _is_check(head.group(1)) else _first_comma(text)
        if text[:end].strip():
            yield text[:end]
        text = text[end + 1 :]


def _first_comma(text: str) -> int:
    """Where the first comma outside brackets stands; the length of the text where there is none."""
    depth = 0
    for position, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth <= 0:
            return position
    return len(text)


def _read(text: str) -> Spec:
    match = _SPEC.match(text)
    if match is None:
        raise UsageError(
            f"{one_line(text, 80)!r} names no scorer", fix="Write NAME, NAME(option=value) or NAME:TEXT."
        )
    options = _options(match["head"], match["options"] or "")
    return Spec(text.strip(), match["head"], options, match["argument"])


def _options(head: str, text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    head = one_line(head, 40)
    for part in filter(str.strip, text.split(",")):
        key, sign, value = part.partition("=")
        key = key.strip()
        if not sign or not key:
            raise UsageError(
                f"{part.strip()!r} in {head}(…) is no option", fix=f"Write {head}(option=value)."
            )
        if key in options:
            raise UsageError(f"the option {key!r} stands twice in {head}(…)", fix="Leave one out.")
        options[key] = value.strip()
    return options


def _bind(spec: Spec, maker: Maker, **usual: str) -> object:
    """Call the maker with the options and the argument, converted to the types of its parameters."""
    hints = _hints(maker.make)
    allowed = [name for name in hints if name not in maker.implied and name != maker.argument]
    given: dict[str, Any] = {name: value for name, value in usual.items() if name in hints}
    for key, value in spec.options.items():
        if key not in allowed:
            raise unknown_name(f"option of {spec.head}", key, allowed)
        given[key] = _convert(f"{spec.head}({key}=…)", value, hints[key])
    if maker.argument in hints:
        given[maker.argument] = _convert(f"{spec.head}:…", spec.argument or "", hints[maker.argument])
    elif spec.argument is not None and spec.full_name not in METRICS:
        raise UsageError(f"{spec.head} takes nothing after a colon", fix=f"Write {spec.head}.")
    return _call(spec, maker.make, {**maker.implied, **given})


def _call(spec: Spec, make: Callable[..., object], given: Mapping[str, Any]) -> object:
    try:
        inspect.signature(make).bind(**given)
    except TypeError as error:
        raise UsageError(f"{spec.head}: {error}", fix=f"Write {spec.head}(option=value).") from error
    return make(**given)


def _hints(make: Callable[..., Any]) -> dict[str, Any]:
    """The parameters that can be given by name, with their types."""
    hints = get_type_hints(make)
    parameters = inspect.signature(make).parameters.values()
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return {name: hints.get(name, str) for name in named}


def _convert(what: str, value: str, hint: Any) -> Any:
    """The value in the type of a parameter; text where the type is none that can be written."""
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    try:
        if bool in kinds:
            return _TRUTH[value.lower()]
        if int in kinds:
            return int(value.strip())
        if float in kinds:
            return float(value)
        return Unit(value) if Unit in kinds else value
    except (KeyError, ValueError) as error:
        expected = {bool: "true or false", int: "a whole number", float: "a number", Unit: "turn or dialogue"}
        fix = next(text for kind, text in expected.items() if kind in kinds)
        raise UsageError(f"{what} is {one_line(value, 60)!r}", fix=f"Give {fix}.") from error


def _checked(spec: Spec, made: object) -> Metric:
    if not isinstance(made, Metric):
        raise UsageError(f"the plug-in {spec.head!r} makes no metric but {type(made).__name__}")
    return made
