"""One process per run folder: a lock that the operating system releases when its holder dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from evalharness.errors import RunConflictError


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold the run folder; a :class:`RunConflictError` names the process that already holds it."""
    path = folder / "run.lock"
    with path.open("a+", encoding="utf-8") as handle:
        path.chmod(0o600)
        if not _try_lock(handle):
            handle.seek(0)
            holder = handle.read(100).strip() or "another process"
            raise RunConflictError(
                f"{folder} is in use by {holder}",
                fix="Wait for it to end, or name another folder with --out.",
            )
        handle.seek(0)
        handle.truncate()
        handle.write(f"process {os.getpid()}")
        handle.flush()
        try:
            yield
        finally:
            handle.seek(0)
            handle.truncate()


def _try_lock(handle: IO[str]) -> bool:
    if sys.platform == "win32":
        import msvcrt

        try:
            handle.seek(0)
            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
