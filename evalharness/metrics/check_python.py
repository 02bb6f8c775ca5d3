"""Checks written by the user: a Python function that is given an item."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from evalharness.core.canonical import sha256_text
from evalharness.core.dialogue import Item
from evalharness.core.scores import Cause, Failure, Result, Score, Skip
from evalharness.core.text import one_line
from evalharness.errors import UsageError
from evalharness.metrics.checks import Answer, Check


@dataclass(frozen=True, kw_only=True)
class PythonCheck(Check):
    """A function ``function(item)`` of an installed module or of one in the working folder, named ``module.function``.

    It gives True, False or a number from 0 to 1, or a pair of that and a reason, or a :class:`Score`,
    :class:`Failure` or :class:`Skip`. What it raises becomes a failure of that item.
    """

    function: str

    def __post_init__(self) -> None:
        _loaded(self.function)

    @property
    def options(self) -> tuple[tuple[str, object], ...]:
        """The function's name and the hash of the file it stands in."""
        return ("function", self.function), ("source", _loaded(self.function)[1])

    def answer(self, item: Item) -> Answer | Result:
        """What the function says of the item."""
        try:
            return _understood(_loaded(self.function)[0](item))
        except Exception as error:
            return _failed(f"{type(error).__name__}: {error}")


def _understood(said: object) -> Answer | Result:
    if isinstance(said, Score | Failure | Skip):
        return said
    value, reason = said if isinstance(said, tuple) and len(said) == 2 else (said, "")
    if not isinstance(value, bool | int | float) or not 0 <= value <= 1 or not isinstance(reason, str):
        return _failed(f"gave {said!r}; a check gives True, False or a number from 0 to 1")
    return Score(float(value), rationale=reason or None)


def _failed(detail: str) -> Failure:
    return Failure(Cause.SCORER_ERROR, one_line(detail, 300))


@cache
def _loaded(function: str) -> tuple[Callable[[Item], Any], str | None]:
    """The function, and the hash of its source file where it has one."""
    module_name, _, name = function.rpartition(".")
    if not module_name:
        raise UsageError(f"python:{function} names no function", fix="Write python:module.function.")
    try:
        with _working_folder_importable():
            module = importlib.import_module(module_name)
        found = getattr(module, name)
    except Exception as error:
        raise UsageError(f"python:{function} can't be loaded: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise UsageError(f"python:{function} is no function")
    file = getattr(module, "__file__", None)
    return found, sha256_text(Path(file).read_text("utf-8", "replace"))[:16] if file else None


@contextmanager
def _working_folder_importable() -> Iterator[None]:
    """The working folder stands last, so that no file in it can take the place of an installed module."""
    folder = str(Path.cwd())
    added = folder not in sys.path
    if added:
        sys.path.append(folder)
    try:
        yield
    finally:
        if added and folder in sys.path:
            sys.path.remove(folder)
