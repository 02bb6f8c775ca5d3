"""Judges and metrics of a run against labels: read, join, compare, write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from evalharness.analysis.agreement.build import agreement_of
from evalharness.analysis.agreement.contest import AgreeOptions, check_map
from evalharness.analysis.agreement.joining import Joined, JoinOptions, join_labels
from evalharness.analysis.agreement.require import Requirement, missed
from evalharness.analysis.agreement.table import ScoreTable
from evalharness.analysis.agreement.types import Agreement, Disagreement
from evalharness.api.analysing import planned_columns
from evalharness.api.folder import RunFolder, open_run
from evalharness.core.dialogue import Dialogue
from evalharness.core.scores import Score
from evalharness.core.text import one_line
from evalharness.data.files import write_text
from evalharness.data.labels.raw import LabelOptions
from evalharness.data.labels.read import LabelSet, read_labels
from evalharness.data.ledger.store import Ledger, decode
from evalharness.errors import RequirementMissedError

_BLOCK = 500
_RATIONALE = 2000
SMALL = 5_000
"""Up to this many labelled items every statistic is computed, so that pages and files hold them all."""


@dataclass(frozen=True, slots=True)
class AgreeJob:
    """Everything that `evalharness agree` can be told. ``everything`` None: all statistics where that is quick."""

    run: Path
    labels: tuple[str, ...]
    label_options: LabelOptions = field(default_factory=LabelOptions)
    join: JoinOptions = field(default_factory=JoinOptions)
    options: AgreeOptions = field(default_factory=AgreeOptions)
    requirements: tuple[Requirement, ...] = ()
    everything: bool | None = None
    write: bool = True


@dataclass(frozen=True, slots=True)
class AgreeResult:
    """The figures, the files that hold them, and the fingerprint of the scores that they are about."""

    agreement: Agreement
    folder: RunFolder
    written: tuple[Path, ...]
    fingerprint: str


def run_agree(job: AgreeJob, stdin: BinaryIO | None = None) -> AgreeResult:
    """Compare, and write agree.json, agree.html and disagreements.csv into the run folder.

    Raises ``InputError`` for labels that don't fit the run, with file and line.
    """
    found = read_labels(job.labels, job.label_options, stdin=stdin)
    with open_run(job.run) as (folder, ledger):
        agreement = agree(ledger, found, job)
        fingerprint = ledger.fingerprint(planned_columns(ledger))
    written = _write(folder, agreement, fingerprint) if job.write else ()
    return AgreeResult(agreement, folder, written, fingerprint)


def check_requirements(agreement: Agreement, requirements: Sequence[Requirement]) -> None:
    """Raise :class:`RequirementMissedError` naming every figure that misses a requirement."""
    problems = missed(requirements, agreement.rows)
    if problems:
        raise RequirementMissedError(problems)


def agree(ledger: Ledger, labels: LabelSet, job: AgreeJob) -> Agreement:
    """The Agreement of a ledger's outcomes and labels."""
    joined, table = joined_scores(ledger, labels, job.join)
    items = len({entry.item for entry in joined.labels})
    everything = items <= SMALL if job.everything is None else job.everything
    options = replace(
        job.options, everything=everything and not job.options.statistics, slices=job.join.slices
    )
    check_names(table, joined, options)
    agreement = agreement_of(table, joined, options)
    partial = ledger.get("partial")
    notes = [f"the run is partial: {partial}"] if isinstance(partial, str) else []
    if joined.pairs and job.options.statistics:
        notes.append(
            "preferences between two replies are shown by their own figures, whatever --statistic names"
        )
    if joined.other_raters:
        notes.append(f"{joined.other_raters:,} labels of other raters were left out (--raters)")
    notes += [
        f"{count:,} rows of the label files hold no label: {reason}" for reason, count in labels.left_out
    ]
    return replace(
        agreement,
        notes=(*agreement.notes, *notes),
        left_out=labels.left_out,
        sources=tuple(Path(source).name for source in labels.sources),
        disagreements=tuple(_with_rationales(ledger, agreement.disagreements, table.numbers)),
    )


def joined_scores(ledger: Ledger, labels: LabelSet, options: JoinOptions) -> tuple[Joined, ScoreTable]:
    """Labels joined to the dialogues of a ledger, and all scores as a table."""
    joined = join_labels(_dialogues(ledger), labels.labels, labels.pairs, options)
    columns = planned_columns(ledger)
    return joined, ScoreTable.of(ledger.outcomes(columns), columns)


def check_names(table: ScoreTable, joined: Joined, options: AgreeOptions) -> None:
    """Raise ``UsageError`` where ``--map`` names a criterion that neither the run nor the labels have."""
    judged = (column.column.criterion for column in table.columns if column.column.judged)
    check_map(options.map, judged, (entry.label.criterion for entry in joined.labels))


def _dialogues(ledger: Ledger) -> Iterator[Dialogue]:
    return (stored.load() for block in ledger.dialogue_blocks(_BLOCK) for stored in block)


def _with_rationales(
    ledger: Ledger, rows: Sequence[Disagreement], numbers: Mapping[str, int]
) -> Iterator[Disagreement]:
    """The disagreements with what the judge wrote about them."""
    columns = planned_columns(ledger)
    judged = [number for number, group in columns.items() if any(column.judged for column in group)]
    texts: dict[tuple[str, int | None, str, str, str], str] = {}
    for dialogue in {row.dialogue for row in rows}:
        for number in judged:
            for item, body in ledger.done(number, numbers[dialogue], numbers[dialogue]).items():
                for column, result in zip(columns[number], decode(body), strict=True):
                    if isinstance(result, Score) and result.rationale:
                        key = (dialogue, item.turn, column.scorer, column.rubric, column.criterion)
                        texts[key] = one_line(result.rationale, _RATIONALE)
    for row in rows:
        key = (row.dialogue, row.turn, row.scorer, row.rubric, row.criterion)
        yield replace(row, rationale=texts.get(key, ""))


def _write(folder: RunFolder, agreement: Agreement, fingerprint: str) -> tuple[Path, ...]:
    from evalharness.report.agreement.document import agreement_json, disagreement_lines
    from evalharness.report.agreement.page import agreement_page

    files = {
        folder.path / "agree.json": agreement_json(agreement, fingerprint),
        folder.path / "agree.html": agreement_page(agreement, folder.path.name),
        folder.path / "disagreements.csv": "".join(disagreement_lines(agreement)),
    }
    for path, text in files.items():
        write_text(path, text)
    return tuple(files)
