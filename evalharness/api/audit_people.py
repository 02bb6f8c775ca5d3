"""An audit beside people: labels joined to what was drawn, and what the judge does that people don't."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from evalharness.analysis.agreement.build import agreement_of
from evalharness.analysis.agreement.contest import check_map, contests
from evalharness.analysis.agreement.joining import Joined, join_labels
from evalharness.analysis.agreement.table import ScoreTable, ratings_of
from evalharness.analysis.agreement.types import LEAVE_ONE_OUT, Agreement, Row
from evalharness.api.analysing import planned_columns
from evalharness.api.audit_job import AuditJob
from evalharness.api.folder import open_run
from evalharness.audit.people import Beside, beside, halo, measures_of
from evalharness.audit.types import Agreed, Measure
from evalharness.core.dialogue import Dialogue
from evalharness.core.scores import OVERALL
from evalharness.data.labels.read import LabelSet, read_labels
from evalharness.data.rubrics import load_rubric
from evalharness.errors import UsageError


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labels that fit the dialogues of an audit, and whose they are."""

    joined: Joined
    labels: LabelSet

    @property
    def dialogues(self) -> frozenset[str]:
        """The dialogues that have a label."""
        return frozenset(entry.item.dialogue for entry in self.joined.labels)


@dataclass(frozen=True, slots=True)
class Compared:
    """What labels say about a judge: biases beside people, agreement, and what should be known about both."""

    measures: tuple[Measure, ...] = ()
    agreed: tuple[Agreed, ...] = ()
    notes: tuple[str, ...] = ()


def labels_of(job: AuditJob, dialogues: Sequence[Dialogue], stdin: BinaryIO | None) -> Labelled | None:
    """The job's labels joined to all dialogues of its source; None without labels.

    Raises ``InputError`` for labels that name what is not there, ``UsageError`` where only pairs are labelled or a
    mapped criterion is in neither the rubric nor the labels.
    """
    if not job.people.labels:
        return None
    found = read_labels(job.people.labels, job.people.reading, stdin=stdin)
    joined = join_labels(dialogues, found.labels, (), job.people.join)
    if not joined.labels:
        raise UsageError(
            "the label files hold no label of a single reply or dialogue",
            fix="Preferences between two replies go with a rubric that compares pairs.",
        )
    criteria = [criterion.id for criterion in load_rubric(job.rubric).criteria]
    check_map(
        job.people.options.map, [*criteria, OVERALL], [entry.label.criterion for entry in joined.labels]
    )
    return Labelled(joined, found)


def compare(job: AuditJob, labelled: Labelled, run: Path, drawn: frozenset[str]) -> Compared:
    """The judge of a finished run beside the people who rated its items."""
    kept = tuple(entry for entry in labelled.joined.labels if entry.item.dialogue in drawn)
    joined = replace(labelled.joined, labels=kept, pairs=())
    with open_run(run) as (_, ledger):
        columns = planned_columns(ledger)
        table = ScoreTable.of(ledger.outcomes(columns), columns)
    signs = {c.column.criterion: -1.0 if c.column.higher_is_better is False else 1.0 for c in table.columns}
    held = contests(table, ratings_of(kept, joined.dialogues), joined.dialogues, job.people.options)
    rows = [
        data
        for contest in held
        for judge in contest.judges
        if (data := beside(contest, judge, joined.dialogues, job.own, signs.get(contest.criterion, 1.0)))
        is not None and data.items
    ]  # fmt: skip
    measures = [measure for data in rows for measure in measures_of(data, job.margin)]
    together = halo([data for data in rows if data.criterion != OVERALL])
    notes = tuple(_notes(job, labelled, len(kept), rows))
    agreement = agreement_of(table, joined, job.people.options)
    return Compared(
        (*measures, *([together] if together is not None else [])), tuple(_agreed(agreement)), notes
    )


def _agreed(agreement: Agreement) -> Iterator[Agreed]:
    """The leading statistic of each criterion: the judge's, and what one person reaches against the others."""
    for report in agreement.criteria:
        if not report.shown:
            continue
        statistic = report.shown[0]
        own = [row for row in agreement.rows if row.criterion == report.criterion and not row.slice]
        judge = next(
            (row for row in own if row.statistic == statistic and _is_judge(row, report.scorers)), None
        )
        if judge is not None:
            people = next(
                (row.estimate for row in own if row.statistic == statistic and row.scorer == LEAVE_ONE_OUT),
                None,
            )
            yield Agreed(report.criterion, statistic, judge.estimate, people, report.labelled, report.raters)


def _is_judge(row: Row, scorers: Sequence[tuple[str, str, object]]) -> bool:
    return any(
        kind == "judge" and (row.scorer, row.rubric) == (name, rubric) for name, rubric, kind in scorers
    )


def _notes(job: AuditJob, labelled: Labelled, kept: int, rows: Sequence[Beside]) -> Iterator[str]:
    total = len(labelled.joined.labels)
    if kept < total:
        yield f"{total - kept:,} of {total:,} labels are about dialogues that were not drawn (--size)"
    if not rows:
        yield "no label fits a criterion of the rubric on the last reply (or the dialogue) that was judged"
    if labelled.joined.other_raters:
        yield f"{labelled.joined.other_raters:,} labels of other raters were left out (--raters)"
    for reason, count in labelled.labels.left_out:
        yield f"{count:,} rows of the label files hold no label: {reason}"
    if job.own is not None and not any(data.own is not None and data.own.any() for data in rows):
        yield f"no labelled reply is by {job.own!r} (--own names a system by its metadata)"
