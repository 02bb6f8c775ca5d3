"""From what a user names (files, globs, ``-``) to open byte streams."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from evalharness.errors import InputError, Problem

STDIN = "-"


def expand(sources: Sequence[str]) -> list[str]:
    """The files that the sources name: globs expanded (sorted), ``-`` kept. Every fault is listed in one error."""
    found: list[str] = []
    problems: list[Problem] = []
    for source in sources:
        names = _matches(source)
        problems.extend(problem for name in names if (problem := _unusable(name)))
        found.extend(names)
    problems.extend(Problem("is named twice", name) for name in _repeated(found))
    if not sources:
        problems.append(Problem("no input is named", fix="Name files, globs, or - for standard input."))
    if problems:
        raise InputError(problems)
    return found


def _matches(source: str) -> list[str]:
    if source == STDIN or Path(source).exists() or not glob.has_magic(source):
        return [source]
    names = sorted(name for name in glob.iglob(source, recursive=True) if not Path(name).is_dir())  # noqa: PTH207
    if not names:
        raise InputError(Problem("no file matches this pattern", source))
    return names


def _unusable(name: str) -> Problem | None:
    path = Path(name)
    if name == STDIN:
        return None
    if path.is_dir():
        fix = f"Name files, or a glob such as {path / '*.jsonl'}."
        return Problem("this is a folder", name, fix=fix)
    if not path.exists():
        return Problem("there is no such file", name)
    return None


def _repeated(names: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    repeated: list[str] = []
    for name in names:
        key = name if name == STDIN else str(Path(name).resolve())
        if key in seen and name not in repeated:
            repeated.append(name)
        seen.add(key)
    return repeated


def rereadable(source: str) -> bool:
    """Whether the source can be read a second time: a regular file, not a pipe, a device or standard input."""
    return source != STDIN and Path(source).is_file()


@contextmanager
def opened(source: str, stdin: BinaryIO | None = None) -> Iterator[BinaryIO]:
    """The byte stream of one source, closed afterwards unless it is standard input."""
    if source == STDIN:
        yield stdin if stdin is not None else sys.stdin.buffer
        return
    with _open(source) as stream:
        yield stream


def _open(source: str) -> BinaryIO:
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise InputError(Problem(f"can't be opened: {error.strerror or error}", source)) from error


def plain_suffix(source: str) -> str:
    """The suffix that tells the form of the content, in lower case: ``.jsonl`` for ``a.jsonl.gz``."""
    suffixes = [suffix.lower() for suffix in Path(source).suffixes]
    while suffixes and suffixes[-1] in (".gz", ".zst", ".zstd"):
        suffixes.pop()
    return suffixes[-1] if suffixes else ""
