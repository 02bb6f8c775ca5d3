"""Checks that a reply is JSON, and that it fits a JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import regex

from evalharness.core.canonical import canonical_json, sha256_text
from evalharness.core.dialogue import Item, Unit
from evalharness.core.scores import Cause, Failure
from evalharness.core.text import one_line
from evalharness.data.strictjson import JsonError, loads
from evalharness.errors import UsageError
from evalharness.metrics.check_text import MATCH_SECONDS, pattern_timeout
from evalharness.metrics.checks import Answer, Check
from evalharness.metrics.reference import MAX_CHARACTERS, too_long
from evalharness.metrics.signature import package_version

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_FENCE = "```"


@dataclass(frozen=True, kw_only=True)
class IsJson(Check):
    """Whether a reply is one JSON text, and fits ``schema`` (a JSON Schema as JSON text) where one is given.

    ``fenced`` also takes a reply that is one Markdown code block. A reference of the schema is never fetched.
    """

    schema: str = ""
    fenced: bool = False

    def __post_init__(self) -> None:
        if self.unit is not Unit.TURN:
            raise UsageError(f"{self.name} looks at replies", fix="Leave out unit=dialogue.")
        if self.schema:
            _validator(self.schema)

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        """The schema's hash, and whether a code block is taken."""
        if not self.schema:
            return (("fenced", self.fenced),)
        tool = f"jsonschema-{package_version('jsonschema')}"
        return ("schema", sha256_text(self.schema)[:16]), ("fenced", self.fenced), ("by", tool)

    def answer(self, item: Item) -> Answer | Failure:
        """Whether the reply is JSON and fits."""
        text = item.message.content
        if len(text) > MAX_CHARACTERS:
            return too_long(len(text))
        try:
            value = loads(unfenced(text) if self.fenced else text)
        except JsonError as error:
            return Answer(False, f"no JSON: {one_line(str(error))}")
        return fits(self.schema, value) if self.schema else Answer(True)


class _SlowPatternError(Exception):
    """A pattern of the schema that backtracks for too long."""


def fits(schema: str, value: Any) -> Answer | Failure:
    """Whether a JSON value fits a JSON Schema given as JSON text; a failure where that can't be told."""
    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    try:
        error = best_match(_validator(schema).iter_errors(value))
    except _SlowPatternError as slow:
        return pattern_timeout(str(slow))
    except Unresolvable as missing:
        return _broken(f"the schema refers to {missing.ref}, which is not in it")
    except RecursionError:
        return _broken("the schema refers to itself without end")
    return Answer(True) if error is None else Answer(False, one_line(f"{error.json_path}: {error.message}"))


def _broken(detail: str) -> Failure:
    return Failure(Cause.SCORER_ERROR, one_line(detail))


def load_schema(path: str) -> str:
    """The JSON Schema in a file as canonical JSON text; :class:`UsageError` for a file that holds none."""
    try:
        schema = loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"can't read the JSON Schema {path}: {error}") from error
    return canonical_json(schema)


def unfenced(text: str) -> str:
    """The inside of a text that is one Markdown code block; any other text as it is."""
    stripped = text.strip()
    first, line_end, rest = stripped.partition("\n")
    if line_end and first.startswith(_FENCE) and rest.endswith(_FENCE):
        return rest.removesuffix(_FENCE)
    return text


@lru_cache(maxsize=64)
def _validator(schema: str) -> Validator:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import extend, validator_for
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]

    content = loads(schema)
    try:
        base = validator_for(content, default=Draft202012Validator)
        base.check_schema(content)
    except SchemaError as error:
        raise UsageError(
            f"this is no JSON Schema: at {error.json_path}: {one_line(error.message)}"
        ) from error
    # With a registry of its own a validator fetches nothing; without, it would ask the network for other documents.
    guarded: type[Validator] = extend(base, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    return guarded(content, registry=REGISTRY)


def _pattern(_: Validator, pattern: str, value: object, __: Mapping[str, Any]) -> Iterator[Exception]:
    """The keyword ``pattern``, with a limit of time: jsonschema's own can backtrack for ever."""
    from jsonschema.exceptions import ValidationError

    if not isinstance(value, str):
        return
    try:
        found = regex.search(pattern, value, timeout=MATCH_SECONDS)
    except TimeoutError:
        raise _SlowPatternError(pattern) from None
    if found is None:
        yield ValidationError(f"{value!r} does not match {pattern!r}")
