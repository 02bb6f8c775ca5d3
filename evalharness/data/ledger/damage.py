"""What SQLite says of a disk that refuses and of a damaged file, as errors that name the ledger."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from evalharness.data.guard import Guard
from evalharness.errors import StorageError

_HERE = str(Path(__file__).parent)


class storage_errors(Guard):  # noqa: N801 - used like a function
    """Around writes: a full or read-only disk is a StorageError, damage that is met one that says so."""

    __slots__ = ()

    def tell(self, error: BaseException) -> None:
        """Raise the StorageError that SQLite's error stands for; a broken rule of the tables stays what it is."""
        if isinstance(error, sqlite3.IntegrityError):
            return
        if isinstance(error, sqlite3.OperationalError):
            raise StorageError(
                f"can't write {self.path}: {error}",
                fix="Free some space or mend the folder, then run the same command again.",
            ) from error
        if isinstance(error, sqlite3.DatabaseError | UnicodeDecodeError):
            raise damaged(self.path, str(error)) from error


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
