"""`audit`: a judge's errors measured on the user's dialogues: changed copies are judged beside the originals."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from evalharness.api.folder import RunFolder, open_run
from evalharness.api.scoring import RunResult, ScoreJob, estimate_score, run_score
from evalharness.audit.attacks import dialogue_signs
from evalharness.audit.effects import Judged, effect_of, spread_of, stability_of
from evalharness.audit.probes import BY_NAME, PROBES, Chooser, Kind, Probe, last_reply
from evalharness.audit.types import Audit, Detector
from evalharness.core.canonical import Json, canonical_json
from evalharness.core.dialogue import Dialogue, Unit
from evalharness.core.native import to_json
from evalharness.core.registry import unknown_name
from evalharness.core.rubric import Rubric
from evalharness.core.scores import OVERALL, Column, Result
from evalharness.data.dialogues import ReadOptions, Rejected, read_dialogues
from evalharness.data.files import private_folder, write_text
from evalharness.data.rubrics import load_rubric
from evalharness.engine.estimate import JudgeEstimate
from evalharness.engine.plan import Limits
from evalharness.engine.progress import Progress
from evalharness.errors import InputError, UsageError
from evalharness.judges.options import JudgeOptions
from evalharness.report.audit import audit_json, audit_markdown
from evalharness.report.execution import total_cost

ORIGINAL, CHANGED = "original", "changed"
_KEY = "audit_of"


@dataclass(frozen=True, slots=True)
class AuditJob:
    """Everything that `evalharness audit` can be told.

    ``sources`` is a run folder or dialogue files. ``size`` dialogues are drawn with ``seed``. ``margin`` is the
    tolerated shift as a share of a scale's range. ``samples`` of each original tell the judge's own noise.
    """

    sources: tuple[str, ...]
    out: Path
    judge: str
    rubric: str
    probes: tuple[str, ...] = ()
    size: int = 40
    seed: int = 0
    margin: float = 0.05
    samples: int = 2
    read: ReadOptions = field(default_factory=ReadOptions)
    limits: Limits = field(default_factory=Limits)
    judge_options: JudgeOptions = field(default_factory=JudgeOptions)
    model_options: Mapping[str, Json] = field(default_factory=dict)
    prices: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AuditResult:
    """An audit that ended: its folder, what it found, and the two runs behind it."""

    folder: Path
    audit: Audit
    runs: tuple[RunResult, ...]

    @property
    def complete(self) -> bool:
        """Whether every item was judged."""
        return all(run.complete for run in self.runs)


@dataclass(frozen=True, slots=True)
class _Material:
    """What is judged: the drawn dialogues, their changed copies, and what could not be changed, by probe."""

    originals: tuple[Dialogue, ...]
    changed: tuple[Dialogue, ...]
    left_out: tuple[tuple[str, int], ...]
    detector: Detector


def run_audit(job: AuditJob, progress: Progress | None = None, stdin: BinaryIO | None = None) -> AuditResult:
    """Audit, or resume an audit: the same job on the same folder goes on where it stopped.

    Raises ``UsageError`` for an unknown probe or a rubric that judges pairs, ``InputError`` where no dialogue has a
    reply to change.
    """
    folder = private_folder(job.out)
    rubric = _rubric(job)
    material = _material(job, stdin)
    epoch = _epoch(folder)
    jobs = _score_jobs(job, folder, material, epoch)
    first = run_score(jobs[0], progress)
    runs = (first,) if first.finished.signal is not None else (first, run_score(jobs[1], progress))
    audit = _audit(job, rubric, material, folder, runs)
    write_text(folder / "audit.json", audit_json(audit))
    write_text(folder / "judge-card.md", audit_markdown(audit))
    return AuditResult(folder, audit, runs)


def estimate_audit(job: AuditJob, folder: Path, stdin: BinaryIO | None = None) -> list[JudgeEstimate]:
    """What an audit would send; ``folder`` is a scratch folder for the changed copies."""
    _rubric(job)
    jobs = _score_jobs(job, folder, _material(job, stdin), "estimate")
    return [
        replace(row, name=f"{row.name} ({which})")
        for which, score in zip((ORIGINAL, CHANGED), jobs, strict=True)
        for row in estimate_score(score)
    ]


def _rubric(job: AuditJob) -> Rubric:
    rubric = load_rubric(job.rubric)
    if rubric.unit is Unit.PAIR:
        raise UsageError(f"{rubric.name} compares pairs; audit takes rubrics of turns or dialogues")
    return rubric


def _chosen(job: AuditJob) -> tuple[Probe, ...]:
    for name in job.probes:
        if name not in BY_NAME:
            raise unknown_name("probe", name, BY_NAME)
    return tuple(BY_NAME[name] for name in job.probes) or PROBES


def _epoch(folder: Path) -> str:
    """A name for this audit's verdicts, kept for a resume: no verdict of another run serves it."""
    path = folder / "epoch"
    if not path.exists():
        write_text(path, f"audit {datetime.now(UTC).isoformat(timespec='seconds')} {time.monotonic_ns():x}\n")
    return path.read_text(encoding="utf-8").strip()


def _dialogues(job: AuditJob, stdin: BinaryIO | None) -> Iterator[Dialogue]:
    """The dialogues of a run folder, or of files; a bad line is an error."""
    if len(job.sources) == 1 and RunFolder(Path(job.sources[0])).ledger.exists():
        with open_run(job.sources[0]) as (_, ledger):
            for stored in ledger.sorted_dialogues():
                yield stored.load()
        return
    for row in read_dialogues(job.sources, job.read, stdin=stdin):
        if isinstance(row, Rejected):
            raise InputError([row.problem])
        yield row.dialogue


def _material(job: AuditJob, stdin: BinaryIO | None) -> _Material:
    usable = [d for d in _dialogues(job, stdin) if last_reply(d) is not None]
    if not usable:
        raise InputError(
            "no dialogue has a reply with text", fix="An audit changes replies and compares scores."
        )
    drawn = sorted(usable, key=lambda d: (Chooser(job.seed, d.id)(1 << 62), d.id))[: job.size]
    drawn.sort(key=lambda d: d.id)
    replies = [d.messages[turn].content for d in drawn if (turn := last_reply(d)) is not None]
    originals = tuple(_only_last(d) for d in drawn)
    changed: list[Dialogue] = []
    left_out: Counter[str] = Counter()
    found = attacks = 0
    for dialogue in originals:
        turn = last_reply(dialogue)
        assert turn is not None
        for probe in _chosen(job):
            other = probe.change(dialogue, turn, Chooser(job.seed, dialogue.id, probe.name), replies)
            if other is None:
                left_out[probe.name] += 1
                continue
            if probe.kind is Kind.INJECTION:
                attacks += 1
                found += bool(dialogue_signs(other))
            changed.append(_copy(other, dialogue, probe))
    clean = sum(bool(dialogue_signs(dialogue)) for dialogue in originals)
    detector = Detector(attacks, found, len(originals), clean)
    return _Material(originals, tuple(changed), tuple(sorted(left_out.items())), detector)


def _only_last(dialogue: Dialogue) -> Dialogue:
    """The dialogue with its last reply as the only one to be scored."""
    last = last_reply(dialogue)
    messages = tuple(
        replace(m, given=m.role == "assistant" and index != last) for index, m in enumerate(dialogue.messages)
    )
    return replace(dialogue, messages=messages, group=dialogue.cluster)


def _copy(changed: Dialogue, original: Dialogue, probe: Probe) -> Dialogue:
    return replace(
        changed,
        id=f"{probe.name}/{original.id}",
        group=original.cluster,
        metadata={**original.metadata, "audit_probe": probe.name, _KEY: original.id},
    )


def _score_jobs(job: AuditJob, folder: Path, material: _Material, epoch: str) -> tuple[ScoreJob, ScoreJob]:
    """One run over the originals, with repeats, and one over the changed copies."""
    jobs = []
    for name, dialogues, samples in (
        (ORIGINAL, material.originals, job.samples),
        (CHANGED, material.changed, 1),
    ):
        path = folder / f"{name}.jsonl"
        write_text(path, (canonical_json(to_json(dialogue)) + "\n" for dialogue in dialogues))
        jobs.append(
            ScoreJob(
                sources=(str(path),),
                out=folder / name,
                judges=(job.judge,),
                rubrics=(job.rubric,),
                limits=job.limits,
                judge_options=replace(job.judge_options, samples=samples),
                model_options=job.model_options,
                prices=job.prices,
                epoch=epoch,
            )
        )
    return jobs[0], jobs[1]


def _audit(
    job: AuditJob, rubric: Rubric, material: _Material, folder: Path, runs: Sequence[RunResult]
) -> Audit:
    columns, originals, cost = _results(folder / ORIGINAL)
    _, changed, more = _results(folder / CHANGED) if len(runs) > 1 else ((), {}, 0.0)
    items = _items(material, originals, changed)
    judged = [(place, column) for place, column in enumerate(columns) if not column.nominal]
    named = [(place, column) for place, column in judged if column.criterion != OVERALL]
    partial = next((run.analysis.run.partial for run in runs if run.analysis.run.partial), None)
    return Audit(
        judge=job.judge if not columns else columns[0].scorer,
        rubric=rubric.name,
        signature=columns[0].signature if columns else "",
        columns=tuple(column for _, column in judged),
        items=len(items),
        groups=len({item.group for item in items}),
        margin=job.margin,
        effects=tuple(
            effect_of(probe, column, place, items, job.margin)
            for probe in _chosen(job)
            for place, column in judged
        ),
        stability=tuple(stability_of(column, place, items) for place, column in named),
        spread=tuple(spread_of(column, place, items) for place, column in named),
        detector=material.detector,
        left_out=material.left_out,
        cost=None if cost is None or more is None else cost + more,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        toy=any(run.analysis.run.toy_judges for run in runs),
        partial=partial,
    )


def _results(folder: Path) -> tuple[tuple[Column, ...], dict[str, Sequence[Result]], float | None]:
    """The columns of a run, its results by dialogue, and its cost."""
    with open_run(folder) as (_, ledger):
        numbers = ledger.scorers()
        if not numbers:
            return (), {}, 0.0
        rows: dict[str, Sequence[Result]] = {row.dialogue: row.results for row in ledger.outcomes()}
        return next(iter(numbers.values())), rows, total_cost(ledger.attempt_totals())


def _items(
    material: _Material, originals: Mapping[str, Sequence[Result]], changed: Mapping[str, Sequence[Result]]
) -> list[Judged]:
    copies: dict[str, dict[str, Sequence[Result]]] = {}
    for dialogue in material.changed:
        results = changed.get(dialogue.id)
        if results is not None:
            probe = str(dialogue.metadata["audit_probe"])
            copies.setdefault(str(dialogue.metadata[_KEY]), {})[probe] = results
    return [
        Judged(dialogue.cluster, originals[dialogue.id], copies.get(dialogue.id, {}))
        for dialogue in material.originals
        if dialogue.id in originals
    ]
