"""What every reader of a dialect of dialogue files offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from evalharness.data.reading import Read, Record, RecordError, Rejected, Tally


class Reader(Protocol):
    """Turns the records of one dialect into dialogues.

    ``joint`` readers get the records of all their files in one call, because one file alone is no dialogue.
    Plug-ins register a class with this interface, called without arguments.
    """

    name: str
    looks_for: str
    joint: bool

    def recognises(self, value: dict[str, Any]) -> bool:
        """Whether a record has the shape of this dialect."""
        ...

    def read(self, records: Iterator[Record | Rejected], tally: Tally) -> Iterator[Read | Rejected]:
        """The dialogues of the records; a record that is none is rejected, a rejected one passed on."""
        ...


class RecordReader(ABC):
    """A reader of a dialect in which every record stands for itself."""

    name: str
    looks_for: str
    joint = False

    @abstractmethod
    def recognises(self, value: dict[str, Any]) -> bool:
        """Whether a record has the shape of this dialect."""

    @abstractmethod
    def dialogues(self, record: Record) -> Sequence[Read]:
        """The dialogues of one record; raises :class:`RecordError` when it can't be used."""

    def read(self, records: Iterator[Record | Rejected], tally: Tally) -> Iterator[Read | Rejected]:
        """The dialogues of the records in order; a record that raises is rejected as a whole."""
        del tally  # every count of these dialects belongs to a dialogue
        for record in records:
            if isinstance(record, Rejected):
                yield record
                continue
            try:
                found = self.dialogues(record)
            except RecordError as error:
                yield error.rejecting(record)
            else:
                yield from found
