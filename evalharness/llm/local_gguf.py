"""A look at the first bytes of a model file, so that a wrong file gets a plain message before C++ code opens it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from evalharness.core.text import one_line
from evalharness.errors import InputError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_HEADER = struct.Struct("<4sIQQ")  # magic, version, number of tensors, number of metadata entries
_MOST_ENTRIES = 1 << 20

_LOOKALIKES: tuple[tuple[bytes, str], ...] = (
    (
        b"version https://git-lfs",
        "it is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`",
    ),
    (b"<", "it is a web page; download the file itself"),
    (b"PK\x03\x04", "it is a zip archive, perhaps a PyTorch checkpoint; a converted .gguf file is needed"),
    (b"ggjt", "it is in a format that came before GGUF; a converted .gguf file is needed"),
)


def check_gguf(path: Path) -> None:
    """Check that the file exists and begins like a GGUF model of a version in use; :class:`InputError` otherwise.

    A file cut short or altered further on passes here: llama.cpp finds the first, a trial load the second.
    """
    shown = one_line(str(path))
    if path.is_dir():
        raise InputError(f"{shown} is a folder, not a model file", fix="Give the path of one .gguf file")
    try:
        with path.open("rb") as file:
            start = file.read(_HEADER.size)
    except FileNotFoundError:
        raise InputError(f"{shown}: there is no such model file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{shown}: the model file can't be read: {_reason(error)}") from error
    problem = _problem(start)
    if problem is not None:
        raise InputError(f"{shown} is not a usable GGUF model: {problem}")


def _problem(start: bytes) -> str | None:
    if not start:
        return "it is empty"
    if not start.startswith(_MAGIC):
        return next(
            (what for mark, what in _LOOKALIKES if start.startswith(mark)), "it does not begin with GGUF"
        )
    if len(start) < _HEADER.size:
        return "it ends within its header, so the download was cut short"
    _, version, tensors, entries = _HEADER.unpack(start)
    if version not in _VERSIONS:
        return f"its format version {version} is not one of {', '.join(map(str, _VERSIONS))}"
    if not 0 < tensors <= _MOST_ENTRIES or not 0 < entries <= _MOST_ENTRIES:
        return "its header makes no sense, so it is damaged"
    return None


def _reason(error: OSError | ValueError) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)


_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_LONGEST_STRING = 1 << 20


def read_context_length(path: Path) -> int | None:
    """The window that a model was trained for, in tokens; None when its metadata does not say before its vocabulary."""
    try:
        with path.open("rb") as file:
            entries = _HEADER.unpack(_read(file, _HEADER.size))[3]
            for _ in range(min(entries, _MOST_ENTRIES)):
                name, value = _read_string(file), _read_value(file)
                if name.endswith(b".context_length"):
                    return value if isinstance(value, int) and value > 0 else None
    except (OSError, struct.error, _UnreadableError):
        return None
    return None


class _UnreadableError(Exception):
    """Metadata of a kind that is not looked into, or cut short."""


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise _UnreadableError
    return data


def _read_string(file: BinaryIO) -> bytes:
    (length,) = struct.unpack("<Q", _read(file, 8))
    if length > _LONGEST_STRING:
        raise _UnreadableError
    return _read(file, length)


def _read_value(file: BinaryIO) -> int | float | bytes | None:
    (kind,) = struct.unpack("<I", _read(file, 4))
    if kind == _STRING:
        return _read_string(file)
    if kind == _ARRAY:
        _skip_array(file)
        return None
    return _read_scalar(file, kind)


def _read_scalar(file: BinaryIO, kind: int) -> int | float:
    if kind not in _SCALARS:
        raise _UnreadableError
    layout = struct.Struct(f"<{_SCALARS[kind]}")
    value: int | float = layout.unpack(_read(file, layout.size))[0]
    return value


def _skip_array(file: BinaryIO) -> None:
    kind, count = struct.unpack("<IQ", _read(file, 12))
    if count > _MOST_ENTRIES:
        raise _UnreadableError
    for _ in range(count):
        if kind == _STRING:
            _read_string(file)
        else:
            _read_scalar(file, kind)
