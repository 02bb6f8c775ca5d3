"""Writing files whole or not at all, private to the user."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import IO

from evalharness.errors import StorageError

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG, errno.EACCES})


def private_folder(path: Path) -> Path:
    """The folder, made (with its parents) if absent; one that is made is readable by the user alone."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise StorageError(f"can't make the folder {path}: {error}") from error
    return path


@contextmanager
def atomic(path: Path) -> Iterator[IO[str]]:
    """A text file to write that takes the place of ``path`` only when everything was written."""
    with atomic_bytes(path) as raw, TextIOWrapper(raw, "utf-8", "backslashreplace", "\n") as out:
        yield out


@contextmanager
def atomic_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The same for bytes."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error}") from error
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        os.replace(name, path)  # noqa: PTH105
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        raise StorageError(f"can't write {path}: {error.strerror}") from error
    finally:
        with suppress(OSError):
            os.unlink(name)  # noqa: PTH108


def write_text(path: Path, parts: str | Iterable[str]) -> None:
    """Write text (or the pieces of it) to ``path``, whole or not at all."""
    with atomic(path) as out:
        if isinstance(parts, str):
            out.write(parts)
        else:
            out.writelines(parts)
