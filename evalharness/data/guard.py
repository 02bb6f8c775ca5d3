"""Around uses of a file through SQLite: what goes wrong there, as errors that name the file."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from types import TracebackType


class Guard:
    """A context in which errors are told by :meth:`tell`. Entered several times an item, for which a generator would
    take three times as long."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.tell(error)

    @abstractmethod
    def tell(self, error: BaseException) -> None:
        """Raise what the error means; return where it is to go on as it is."""
