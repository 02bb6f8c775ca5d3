"""Prompt templates: text files of the package, filled in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template

from evalharness.core.canonical import Json, content_hash

_FOLDER = "templates"


@cache
def template(name: str) -> str:
    """The text of a template by its file name without ``.txt``."""
    return files("evalharness.judges").joinpath(_FOLDER, f"{name}.txt").read_text(encoding="utf-8")


def fill(name: str, values: Mapping[str, str]) -> str:
    """The template with each ``$name`` replaced; what stands in the values is never looked at again.

    A name without a value is a ``KeyError``.
    """
    return "".join([values[text] if is_name else text for is_name, text in _pieces(template(name))])


@cache
def _pieces(text: str) -> tuple[tuple[bool, str], ...]:
    """A template cut at its names, once: plain text (False) and the names between (True)."""
    position = 0
    pieces: list[tuple[bool, str]] = []
    for match in Template.pattern.finditer(text):
        named = match["named"] or match["braced"]
        if named is None and match["escaped"] is None:
            raise ValueError(f"a lone $ at character {match.start()} of a template")
        pieces.append((False, text[position : match.start()]))
        pieces.append((False, "$") if named is None else (True, named))
        position = match.end()
    return (*pieces, (False, text[position:]))


@cache
def templates_hash(prefix: str) -> str:
    """Hash of all templates whose name begins with the prefix; with an empty prefix, of the pointwise ones for models
    that follow a rubric in JSON."""
    folder = files("evalharness.judges").joinpath(_FOLDER)
    texts: dict[str, Json] = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".txt") and _belongs(entry.name, prefix)
    }
    return content_hash(texts)


def _belongs(name: str, prefix: str) -> bool:
    return name.startswith(prefix) if prefix else not name.startswith(("small_", "pair_", "claims_", "list_"))
