"""What SQLite says of a disk that refuses and of a damaged file, as errors that name the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalharness.errors import StorageError

_HERE = str(Path(__file__).parent)


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Around writes: a full or read-only disk is a StorageError, damage that is met one that says so."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise
    except sqlite3.OperationalError as error:
        raise StorageError(
            f"can't write {path}: {error}",
            fix="Free some space or mend the folder, then run the same command again.",
        ) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise damaged(path, str(error)) from error


def database_error(error: BaseException | None) -> Exception | None:
    """What SQLite found wrong while reading, also where tasks that ran side by side report it together."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for part in error.exceptions if (found := database_error(part))), None)
    if isinstance(error, sqlite3.DatabaseError):
        return error
    return error if isinstance(error, UnicodeDecodeError) and _raised_here(error) else None


def _raised_here(error: BaseException) -> bool:
    """Whether SQLite raised it under a call of this package: its message holds a damaged name that is no UTF-8."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and last.tb_frame.f_code.co_filename.startswith(_HERE)


def damaged(path: Path, what: str) -> StorageError:
    """The error for a ledger in which something is not as it was written."""
    return StorageError(
        f"{path} is damaged: {what}", fix="Restore the run folder from a copy, or start a new one."
    )
