"""YAML without its traps: every scalar keeps its text, every node its line.

PyYAML's safe loader turns ``yes`` into True, ``1:30`` into 90 and ``010`` into 8, lets a later key overwrite an earlier
one, and expands aliases without bound. Here the document is composed into nodes only and converted by us: plain
scalars become int, float, bool (``true``/``false`` only) or None (``null``, ``~``, empty) when JSON would read them so,
and text otherwise; duplicate keys, tags, aliases beyond a bound, deep nesting and large files are refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evalharness.errors import ConfigError, InputError, Problem

_MAX_BYTES = 2 << 20
_MAX_DEPTH = 40
_MAX_NODES = 100_000
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: line and column, from 1."""

    line: int
    column: int


class Located(dict[str, Any]):
    """A mapping that knows its own place and that of each key and value."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Place(1, 1)
        self.keys_at: dict[str, Place] = {}
        self.values_at: dict[str, Place] = {}


def load_mapping(path: Path, error: type[InputError] = ConfigError) -> Located:
    """The mapping in a YAML (or JSON) file; anything else is an ``error`` with the line."""
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise error(Problem(f"the file is {size} bytes, more than {_MAX_BYTES}", str(path)))
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as fault:
        raise error(Problem(f"can't read it: {fault.strerror}", str(path))) from fault
    except UnicodeDecodeError as fault:
        raise error(Problem(f"it is not UTF-8 text (byte {fault.start})", str(path))) from fault
    return parse_mapping(text, str(path), error)


def parse_mapping(text: str, source: str, error: type[InputError] = ConfigError) -> Located:
    """The mapping in a YAML text; see :func:`load_mapping`."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        raise error(
            Problem(f"this is not YAML: {fault.problem}", source, line, column, _yaml_advice(fault))
        ) from fault
    except (yaml.YAMLError, RecursionError) as fault:
        raise error(Problem(f"this is not YAML: {fault}", source)) from fault
    if node is None:
        raise error(Problem("the file is empty", source))
    if not isinstance(node, yaml.MappingNode):
        raise error(Problem("expected `key: value` lines at the top", source, node.start_mark.line + 1))
    converter = _Converter(source)
    value = converter.mapping(node, 0)
    if converter.problems:
        raise error(converter.problems)
    return value


class _Converter:
    """Nodes to values, collecting every problem of the document."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._nodes = 0

    def value(self, node: yaml.Node, depth: int) -> Any:
        self._nodes += 1
        if depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            if self._nodes <= _MAX_NODES + 1 or depth == _MAX_DEPTH + 1:
                self._report("nested too deeply, or aliases expand to too much", node)
            return None
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, "tag:yaml.org,2002:seq")
            return [self.value(child, depth + 1) for child in node.value]
        return self._scalar(node)

    def mapping(self, node: yaml.MappingNode, depth: int) -> Located:
        self._check_tag(node, "tag:yaml.org,2002:map")
        found = Located()
        found.place = _place(node)
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key is None:
                continue
            if key in found:
                first = found.keys_at[key].line
                self._report(f"the key {key!r} stands twice, first in line {first}", key_node)
                continue
            found.keys_at[key] = _place(key_node)
            found.values_at[key] = _place(value_node)
            found[key] = self.value(value_node, depth + 1)
        return found

    def _key(self, node: yaml.Node) -> str | None:
        if isinstance(node, yaml.ScalarNode) and isinstance(node.value, Hashable):
            return str(node.value)
        self._report("a key must be plain text", node)
        return None

    def _scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        if node.tag.startswith("!") or "python" in node.tag:
            self._report(f"tags like {node.tag} are not allowed", node)
            return None
        if not isinstance(node, yaml.ScalarNode) or node.style is not None:
            return text
        return plain_scalar(text)

    def _check_tag(self, node: yaml.Node, usual: str) -> None:
        if node.tag != usual:
            self._report(f"tags like {node.tag} are not allowed", node)

    def _report(self, message: str, node: yaml.Node) -> None:
        place = _place(node)
        self.problems.append(Problem(message, self.source, place.line, place.column))


def plain_scalar(text: str) -> str | int | float | bool | None:
    """An unquoted scalar as JSON would read it, text otherwise: ``yes``, ``010`` and ``1:30`` stay text."""
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.match(text) and len(text) < 300:
        number = json.loads(text)
        assert isinstance(number, int | float)
        return number if abs(number) != float("inf") else text
    return text


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _yaml_advice(fault: yaml.MarkedYAMLError) -> str:
    problem = fault.problem or ""
    if "mapping values are not allowed" in problem:
        return 'A colon inside text needs quotes: write "…: …"'
    if "found character '\\t'" in problem:
        return "Indent with spaces, not tabs"
    return "Check the indentation and quotes around this line"
