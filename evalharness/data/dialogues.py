"""Dialogues from files: the one way in for every dialect and container."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import BinaryIO

from evalharness.data.mapping import field_mapper, with_metadata
from evalharness.data.readers.interface import Reader
from evalharness.data.readers.recognise import reader_named, recognised
from evalharness.data.reading import (
    FileTally,
    Origin,
    Read,
    ReadOptions,
    Record,
    RecordError,
    Rejected,
    Tally,
)
from evalharness.data.records import CONTAINERS, file_records
from evalharness.data.references import open_references
from evalharness.data.sources import expand, rereadable
from evalharness.errors import InputError, Problem

__all__ = ["FileTally", "Origin", "Read", "ReadOptions", "Rejected", "Tally", "read_dialogues"]

_SAMPLE_RECORDS = 20
_SAMPLE_TRIED = 200

_Mapper = Callable[[Record], Record] | None


def read_dialogues(
    sources: Sequence[str],
    options: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
    *,
    stdin: BinaryIO | None = None,
    tally: Tally | None = None,
    faults: list[Problem] | None = None,
) -> Iterator[Read | Rejected]:
    """Every dialogue of the sources in order, and every record that is not one; streamed, in flat memory.

    ``sources`` are file names, globs, or ``-`` for ``stdin``; ``tally`` is filled on the way. Raises
    :class:`~evalharness.errors.InputError` for a file-level fault (damaged, empty, of unknown form): what was yielded
    before it must not be used. With a list for ``faults`` such a fault is added to it, and the other files are read.
    Ids are not compared here; see :mod:`evalharness.data.survey`.
    """
    tally = Tally() if tally is None else tally
    files = _Files(expand(sources), options, stdin, tally)
    outcomes = _all_outcomes(files, tally, faults)
    if options.set:
        outcomes = _each_read(outcomes, lambda read: with_metadata(read, options.set))
    if not options.references:
        yield from outcomes
        return
    with closing(open_references(options.references, options.max_line_bytes)) as references:
        yield from references.joined(outcomes, tally)


def _each_read(
    outcomes: Iterator[Read | Rejected], change: Callable[[Read], Read]
) -> Iterator[Read | Rejected]:
    return (change(item) if isinstance(item, Read) else item for item in outcomes)


def _all_outcomes(files: _Files, tally: Tally, faults: list[Problem] | None) -> Iterator[Read | Rejected]:
    """The outcomes of all files; those that only make sense together are read at the place of the first."""
    pending: list[_File] = []
    for source in files.sources:
        with _noting(faults):
            pending.append(files.recognise(source))
    while pending:
        file = pending.pop(0)
        same = [other for other in pending if file.reader.joint and other.reader.name == file.reader.name]
        pending = [other for other in pending if other not in same]
        with _noting(faults):
            yield from _outcomes(file.reader, [file, *same], tally)
    if not faults and not any(counts.records for counts in tally.files):
        with _noting(faults):
            raise InputError(
                Problem("there are no dialogues: the file is empty", name) for name in files.sources
            )


@contextmanager
def _noting(faults: list[Problem] | None) -> Iterator[None]:
    """Add the problems of a file-level fault to the list, if there is one."""
    try:
        yield
    except InputError as error:
        if faults is None:
            raise
        faults.extend(error.problems)


@dataclass(frozen=True, slots=True, eq=False)
class _File:
    """A file whose dialect is known; ``records`` opens it, or goes on where the look at it ended."""

    reader: Reader
    counts: FileTally
    records: Callable[[], Iterator[Record | Rejected]]


class _Files:
    """The sources of one reading and what is the same for all of them."""

    def __init__(
        self, sources: list[str], options: ReadOptions, stdin: BinaryIO | None, tally: Tally
    ) -> None:
        forced = options.format
        self.sources = sources
        self._container = forced if forced in CONTAINERS else None
        self._dialect = reader_named(forced).name if forced and not self._container else None
        self._options = options
        self._stdin = stdin
        self._tally = tally
        self._mapper: _Mapper = field_mapper(options.map)

    def recognise(self, source: str) -> _File:
        """Find out the dialect of a file from its first records; what was read of a pipe is kept."""
        counts = FileTally(source)
        self._tally.files.append(counts)
        records = self._records(source, counts)
        try:
            sample = [] if self._dialect and rereadable(source) else _sample(records)
            reader = self._reader(sample, source)
        except BaseException:
            records.close()
            raise
        counts.dialect = reader.name
        if not rereadable(source):
            rest = chain(sample, records)
            return _File(reader, counts, lambda: rest)
        records.close()
        return _File(reader, counts, lambda: self._afresh(source, counts))

    def _reader(self, sample: Sequence[Record | Rejected], source: str) -> Reader:
        if self._dialect:
            return reader_named(self._dialect)
        return recognised([item for item in sample if isinstance(item, Record)], source)

    def _afresh(self, source: str, counts: FileTally) -> Iterator[Record | Rejected]:
        counts.records = counts.blank_lines = 0
        return self._records(source, counts)

    def _records(self, source: str, counts: FileTally) -> Generator[Record | Rejected, None, None]:
        records = file_records(source, self._container, self._options.max_line_bytes, counts, self._stdin)
        if self._mapper is None:
            yield from records
            return
        for item in records:
            yield item if isinstance(item, Rejected) else _mapped(self._mapper, item)


def _mapped(mapper: Callable[[Record], Record], record: Record) -> Record | Rejected:
    try:
        return mapper(record)
    except RecordError as error:
        return error.rejecting(record)


def _sample(records: Iterator[Record | Rejected]) -> list[Record | Rejected]:
    """The first records: enough that can be parsed, or a limited number of those that can't."""
    sample: list[Record | Rejected] = []
    parsed = 0
    for item in islice(records, _SAMPLE_TRIED):
        sample.append(item)
        parsed += isinstance(item, Record)
        if parsed == _SAMPLE_RECORDS:
            break
    return sample


def _outcomes(reader: Reader, files: Sequence[_File], tally: Tally) -> Iterator[Read | Rejected]:
    """What the reader makes of the files' records; rejected records are counted by file."""
    by_source = {file.counts.source: file.counts for file in files}
    for outcome in reader.read(chain.from_iterable(file.records() for file in files), tally):
        if isinstance(outcome, Rejected) and outcome.problem.source in by_source:
            by_source[outcome.problem.source].rejected += 1
        yield outcome
