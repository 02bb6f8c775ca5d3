"""The error tree: what a user is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evalharness import errors
from evalharness.errors import EvalHarnessError, ExitCode, InputError, Problem


def _tree(root: type[EvalHarnessError]) -> list[type[EvalHarnessError]]:
    return [root, *(leaf for child in root.__subclasses__() for leaf in _tree(child))]


def test_a_problem_names_its_place_and_what_to_write():
    problem = Problem("the id is empty", "logs.jsonl", 7, 3, fix="Write a text.")
    assert str(problem) == "logs.jsonl:7:3: the id is empty. Write a text."


def test_an_error_lists_all_its_problems():
    error = InputError([Problem("one", "f", 1), Problem("two", "f", 2)])
    assert str(error) == "f:1: one\nf:2: two"
    assert error.exit_code is ExitCode.USAGE


def test_an_error_needs_a_problem():
    with pytest.raises(ValueError, match="at least one"):
        InputError([])


def test_the_docstring_draws_the_whole_tree():
    drawn = dict(re.findall(r"[├└]── (\w+)\s+(\d)", errors.__doc__ or ""))
    real = {kind.__name__: str(int(kind.exit_code)) for kind in _tree(EvalHarnessError)[1:]}
    assert drawn == real


def test_every_error_has_its_entry_in_the_docs():
    page = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^#+ `?([\w-]+)`?", page, re.MULTILINE))
    assert {kind.slug for kind in _tree(EvalHarnessError)} <= headings
