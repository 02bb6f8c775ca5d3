"""Reading scenario files: YAML with a list under ``scenarios``, or JSON Lines with one scenario a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalharness.core.dialogue import Document, Tool
from evalharness.core.registry import unknown_name
from evalharness.core.scenario import Scenario
from evalharness.data import strictjson
from evalharness.data.sources import expand
from evalharness.data.strictyaml import Located, load_mapping
from evalharness.errors import InputError, Problem

KEYS = ("id", "user", "goal", "system", "tools", "context", "references", "metadata")
_FIX = 'Write for example: {"id": "lost-parcel", "user": ["Where is parcel 7?"]}'


def read_scenarios(sources: Sequence[str]) -> list[Scenario]:
    """The scenarios of the files; ``InputError`` with every problem of all of them (places from 1)."""
    problems: list[Problem] = []
    found: dict[str, Problem] = {}
    scenarios: list[Scenario] = []
    for source in expand(list(sources)):
        for line, value in _rows(source):
            sheet = _Sheet(source, line)
            scenario = sheet.scenario(value)
            problems += sheet.problems
            if scenario is None:
                continue
            if scenario.id in found:
                first = found[scenario.id]
                problems.append(
                    Problem(f"the id {scenario.id!r} is that of {first.source}:{first.line}", source, line)
                )
                continue
            found[scenario.id] = Problem("", source, line)
            scenarios.append(scenario)
    if not problems and not scenarios:
        problems.append(Problem("there is no scenario", ", ".join(sources), fix=_FIX))
    if problems:
        raise InputError(problems)
    return scenarios


def _rows(source: str) -> Iterator[tuple[int, Any]]:
    path = Path(source)
    if path.suffix not in (".jsonl", ".ndjson"):
        yield from _yaml_rows(path)
        return
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as fault:
        raise InputError(Problem(f"can't read it: {fault.strerror}", source)) from fault
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, strictjson.loads(line)
            except strictjson.JsonError as fault:
                raise InputError(Problem(str(fault), source, number, fix=_FIX)) from fault


def _yaml_rows(path: Path) -> Iterator[tuple[int, Any]]:
    document = load_mapping(path, InputError)
    rows = document.get("scenarios")
    if not isinstance(rows, list):
        raise InputError(
            Problem(
                "there is no list 'scenarios'", str(path), 1, fix="Write scenarios: and a list of mappings."
            )
        )
    for row in rows:
        yield row.place.line if isinstance(row, Located) else 1, row


class _Sheet:
    """Checks one scenario and collects what is wrong with it."""

    def __init__(self, source: str, line: int) -> None:
        self.problems: list[Problem] = []
        self._source = source
        self._line = line

    def scenario(self, value: Any) -> Scenario | None:
        if not isinstance(value, Mapping):
            self._bad("a scenario must be a mapping", _FIX)
            return None
        for key in value:
            if key not in KEYS:
                self._bad(str(unknown_name("field of a scenario", str(key), KEYS)))
        made = Scenario(
            id=self._id(value),
            user=self._texts(value, "user", needed=True),
            goal=self._text(value, "goal"),
            system=self._text(value, "system"),
            tools=tuple(self._tools(value)),
            context=tuple(self._documents(value)),
            references=self._references(value),
            metadata=self._mapping(value, "metadata"),
        )
        return None if self.problems else made

    def _bad(self, message: str, fix: str | None = None) -> None:
        self.problems.append(Problem(message, self._source, self._line, fix=fix))

    def _id(self, value: Mapping[str, Any]) -> str:
        name = value.get("id")
        if isinstance(name, int) and not isinstance(name, bool):
            return str(name)
        if not isinstance(name, str) or not name:
            self._bad("a scenario needs an id", _FIX)
            return ""
        return name

    def _text(self, value: Mapping[str, Any], key: str) -> str | None:
        text = value.get(key)
        if text is not None and not isinstance(text, str):
            self._bad(f"{key} must be text")
            return None
        return text

    def _texts(self, value: Mapping[str, Any], key: str, *, needed: bool = False) -> tuple[str, ...]:
        texts = value.get(key, [])
        listed = [texts] if isinstance(texts, str) else texts
        if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
            self._bad(f"{key} must be a text or a list of texts")
            return ()
        if needed and not listed:
            self._bad(f"{key} is missing: what does the user say?", _FIX)
        return tuple(listed)

    def _mapping(self, value: Mapping[str, Any], key: str) -> dict[str, Any]:
        found = value.get(key, {})
        if not isinstance(found, Mapping):
            self._bad(f"{key} must be a mapping")
            return {}
        return dict(json.loads(json.dumps(found)))

    def _tools(self, value: Mapping[str, Any]) -> Iterator[Tool]:
        for row in self._list(value, "tools"):
            if not isinstance(row, Mapping) or not isinstance(row.get("name"), str):
                self._bad("a tool needs a name")
                continue
            parameters = row.get("parameters", {})
            plain = json.loads(json.dumps(parameters)) if isinstance(parameters, Mapping) else {}
            yield Tool(row["name"], str(row.get("description", "")), plain)

    def _documents(self, value: Mapping[str, Any]) -> Iterator[Document]:
        for row in self._list(value, "context"):
            if isinstance(row, str):
                yield Document(row)
            elif isinstance(row, Mapping) and isinstance(row.get("text"), str):
                yield Document(row["text"], None if row.get("id") is None else str(row["id"]))
            else:
                self._bad("a context document is a text, or a mapping with text")

    def _references(self, value: Mapping[str, Any]) -> dict[int, tuple[str, ...]]:
        found: dict[int, tuple[str, ...]] = {}
        for key in self._mapping(value, "references"):
            number = int(key) if str(key).isdigit() else 0
            if number < 1:
                self._bad(f"references: {key!r} is no number of a reply", "Count replies from 1.")
                continue
            found[number] = self._texts(value["references"], key)
        return found

    def _list(self, value: Mapping[str, Any], key: str) -> list[Any]:
        rows = value.get(key, [])
        if not isinstance(rows, list):
            self._bad(f"{key} must be a list")
            return []
        return rows
