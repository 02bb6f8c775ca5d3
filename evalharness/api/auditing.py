"""`audit`: a judge's errors measured on the user's dialogues: changed copies are judged beside the originals."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from evalharness.api.audit_job import AuditJob, AuditResult
from evalharness.api.audit_material import (
    CHANGED,
    ORIGINAL,
    Material,
    Part,
    chosen_probes,
    copies_by_original,
    material_of,
    parts_of,
    source_dialogues,
)
from evalharness.api.audit_pairs import estimate_pair_audit, run_pair_audit
from evalharness.api.audit_people import Compared, Labelled, compare, labels_of
from evalharness.api.audit_since import drift_since, earlier_originals
from evalharness.api.folder import RunFolder, open_run
from evalharness.api.pairing import BY_FILE
from evalharness.api.rendering import render, stored_analysis, target
from evalharness.api.scoring import RunResult, ScoreJob, estimate_score, run_score
from evalharness.audit.attacks import PLACEMENTS
from evalharness.audit.effects import (
    Judged,
    effect_of,
    saved_of,
    severity_of,
    spread_of,
    stability_of,
)
from evalharness.audit.probes import Arm, Kind
from evalharness.audit.types import Audit, Effect, Saved
from evalharness.core.dialogue import Unit
from evalharness.core.rubric import Rubric
from evalharness.core.scores import OVERALL, Column, Result, Score
from evalharness.data.files import private_folder, write_text
from evalharness.data.rubrics import load_rubric
from evalharness.engine.estimate import JudgeEstimate
from evalharness.engine.progress import Progress
from evalharness.errors import UsageError
from evalharness.judges.claims import CLAIMS
from evalharness.report.audit.document import audit_json
from evalharness.report.audit.markdown import audit_markdown
from evalharness.report.audit.page import audit_page
from evalharness.report.execution import total_cost

__all__ = ["AuditJob", "AuditResult", "estimate_audit", "run_audit"]


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An audit before anything is sent."""

    rubric: Rubric
    material: Material
    labelled: Labelled | None
    parts: tuple[Part, ...]
    missing: tuple[tuple[str, str], ...]


def run_audit(job: AuditJob, progress: Progress | None = None, stdin: BinaryIO | None = None) -> AuditResult:
    """Audit, or resume an audit: the same job on the same folder goes on where it stopped.

    Raises ``UsageError`` for an unknown probe or options that don't fit the rubric, ``InputError`` where no dialogue
    has a reply to change or labels name what is not there.
    """
    rubric = load_rubric(job.rubric)
    folder = private_folder(job.out)
    if rubric.unit is Unit.PAIR:
        result = run_pair_audit(job, rubric, folder, _epoch(folder), progress, stdin)
        _write(job, folder, result.audit)
        return result
    _check(job)
    prepared = _prepare(job, rubric, folder, _epoch(folder), stdin)
    runs: dict[str, RunResult] = {}
    for part in prepared.parts:
        runs[part.name] = run_score(_within_budget(part, prepared.parts), progress)
        if runs[part.name].finished.signal is not None:
            break
    audit = _audit(job, prepared, folder, runs)
    _write(job, folder, audit)
    signal = next((run.finished.signal for run in runs.values() if run.finished.signal is not None), None)
    complete = len(runs) == len(prepared.parts) and all(run.complete for run in runs.values())
    return AuditResult(folder, audit, complete, signal)


def estimate_audit(job: AuditJob, folder: Path, stdin: BinaryIO | None = None) -> list[JudgeEstimate]:
    """What an audit would send; ``folder`` is a scratch folder for the changed copies."""
    rubric = load_rubric(job.rubric)
    if rubric.unit is Unit.PAIR:
        return estimate_pair_audit(job, rubric, folder, stdin)
    _check(job)
    prepared = _prepare(job, rubric, folder, "estimate", stdin)
    return [
        replace(row, name=f"{row.name} ({part.name})")
        for part in prepared.parts
        for row in estimate_score(part.job)
    ]


def _check(job: AuditJob) -> None:
    """Find what can't be done before anything is sent."""
    if job.whole or job.by != BY_FILE:
        raise UsageError(f"--by and --whole go with a rubric that compares pairs; {job.rubric} does not")
    if job.since is not None:
        earlier_originals(job.since)


def _prepare(job: AuditJob, rubric: Rubric, folder: Path, epoch: str, stdin: BinaryIO | None) -> _Prepared:
    chosen_probes(job)
    dialogues = list(source_dialogues(job, stdin))
    labelled = labels_of(job, dialogues, stdin)
    material = material_of(job, dialogues, frozenset() if labelled is None else labelled.dialogues)
    parts, missing = parts_of(job, rubric, folder, material, epoch)
    return _Prepared(rubric, material, labelled, parts, missing)


def _within_budget(part: Part, parts: Sequence[Part]) -> ScoreJob:
    """The part's job with what the other parts have left of the limit: ``--max-cost`` holds for the whole audit."""
    limit = part.job.limits.max_cost
    if limit is None:
        return part.job
    spent = sum(_cost(other.job.out) or 0.0 for other in parts if other.name != part.name)
    return replace(part.job, limits=replace(part.job.limits, max_cost=max(0.0, limit - spent)))


def _cost(folder: Path) -> float | None:
    """What a run has cost so far; 0 before it begins, None where a model is unpriced."""
    if not RunFolder(folder).ledger.exists():
        return 0.0
    with open_run(folder) as (_, ledger):
        return total_cost(ledger.attempt_totals())


def _epoch(folder: Path) -> str:
    """A name for this audit's verdicts, kept for a resume: no verdict of another run serves it."""
    path = folder / "epoch"
    if not path.exists():
        write_text(path, f"audit {datetime.now(UTC).isoformat(timespec='seconds')} {time.monotonic_ns():x}\n")
    return path.read_text(encoding="utf-8").strip()


def _write(job: AuditJob, folder: Path, audit: Audit) -> None:
    """Write the audit's files; where it stands in the run that was its source, that run's page, too."""
    write_text(folder / "audit.json", audit_json(audit))
    write_text(folder / "judge-card.md", audit_markdown(audit))
    write_text(folder / "judge-card.html", audit_page(audit))
    run = RunFolder(Path(job.sources[0]))
    if len(job.sources) == 1 and run.ledger.exists() and folder.resolve().parent == run.path.resolve():
        with open_run(run.path) as (found, ledger):
            analysis = stored_analysis(ledger)
            write_text(target(found, "html"), render(found, ledger, analysis, "html"))


def _audit(job: AuditJob, prepared: _Prepared, folder: Path, runs: Mapping[str, RunResult]) -> Audit:
    columns, originals = _results(folder / ORIGINAL)
    judged = [(place, column) for place, column in enumerate(columns) if not column.nominal]
    named = [(place, column) for place, column in judged if column.criterion != OVERALL]
    items = _usual(job, prepared.material, folder, runs, originals)
    undefended = _undefended(prepared.material, folder, runs)
    usual = list(items.values())
    partial = next((r.analysis.run.partial for r in runs.values() if r.analysis.run.partial), None)
    compared = _compared(job, prepared, folder, runs)
    drift = () if job.since is None else drift_since(job.since, folder / ORIGINAL, job.margin)
    costs = [_cost(part.job.out) for part in prepared.parts]
    known = [cost for cost in costs if cost is not None]
    return Audit(
        judge=job.judge if not columns else columns[0].scorer,
        rubric=prepared.rubric.name,
        signature=columns[0].signature if columns else "",
        columns=tuple(column for _, column in judged),
        items=len(usual),
        groups=len({item.group for item in usual}),
        margin=job.margin,
        effects=tuple(
            _effects(job, columns, usual, list(undefended.values()), {name for name, _ in prepared.missing})
        ),
        stability=tuple(stability_of(column, place, usual) for place, column in named),
        spread=tuple(spread_of(column, place, usual) for place, column in named),
        detector=prepared.material.detector,
        left_out=prepared.material.left_out,
        cost=sum(known) if len(known) == len(costs) else None,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        toy=any(run.analysis.run.toy_judges for run in runs.values()),
        partial=partial,
        severity=tuple(s for s in (severity_of(c, place, usual) for place, c in judged) if s.means),
        saved=tuple(_saved(judged, [(items[i], undefended[i]) for i in items if i in undefended])),
        measures=(*compared.measures, *drift),
        agreed=compared.agreed,
        missing=(*prepared.missing, *_not_measured(job)),
        notes=(*compared.notes, *_stages(runs), *_claims(usual)),
    )


def _stages(runs: Mapping[str, RunResult]) -> Iterator[str]:
    """Which stages of a cascade judged: an effect is that of whoever did."""
    told = []
    for name, what in ((ORIGINAL, "the originals"), (CHANGED, "the changed copies")):
        columns = runs[name].analysis.columns if name in runs else ()
        counts = next((column.stages for column in columns if column.stages), ())
        if counts:
            told.append(f"{', '.join(f'{stage} {count}' for stage, count in counts)} of {what}")
    if told:
        yield f"stages that judged: {'; '.join(told)}"


def _claims(items: Sequence[Judged]) -> Iterator[str]:
    """What a shift means with a judge that counts claims."""
    facts = [r.extra for item in items for r in item.original if isinstance(r, Score) and r.extra]
    if any(CLAIMS in extra for extra in facts):
        yield (
            "this judge counts what a reply states: padding, assurances and attacks written into a reply add claims "
            "that nothing supports, so a shift to the worse there can be right"
        )


def _compared(job: AuditJob, prepared: _Prepared, folder: Path, runs: Mapping[str, RunResult]) -> Compared:
    if prepared.labelled is None or ORIGINAL not in runs:
        return Compared()
    drawn = frozenset(dialogue.id for dialogue in prepared.material.originals)
    return compare(job, prepared.labelled, folder / ORIGINAL, drawn)


def _not_measured(job: AuditJob) -> Iterator[tuple[str, str]]:
    """What nobody asked for or could be had, with what it needs."""
    if not job.people.labels:
        yield "leniency, use of the scale, halo, length beyond people's", "needs --labels"
    if not (job.people.labels and job.own):
        yield (
            "self-preference",
            "needs replies of the judge's own model (--own SYSTEM) beside another's, and --labels",
        )
    yield "position", "needs a rubric that compares pairs (such as mt-bench-pair) and two systems"
    if job.since is None:
        yield "drift", "needs an earlier audit of the same dialogues (--since)"


def _effects(
    job: AuditJob,
    columns: Sequence[Column],
    usual: Sequence[Judged],
    undefended: Sequence[Judged],
    missing: set[str],
) -> Iterator[Effect]:
    for probe in chosen_probes(job):
        if probe.name not in missing:
            items = undefended if probe.kind is Kind.UNDEFENDED else usual
            for place, column in enumerate(columns):
                if not column.nominal:
                    yield effect_of(probe, column, place, items, job.margin, columns)


def _saved(judged: Sequence[tuple[int, Column]], items: Sequence[tuple[Judged, Judged]]) -> Iterator[Saved]:
    for placement in PLACEMENTS:
        for place, column in judged:
            found = saved_of(placement, column, place, items)
            if found.pairs:
                yield found


def _results(folder: Path) -> tuple[tuple[Column, ...], dict[str, Sequence[Result]]]:
    """The columns of a run and its results by dialogue."""
    with open_run(folder) as (_, ledger):
        numbers = ledger.scorers()
        if not numbers:
            return (), {}
        rows: dict[str, Sequence[Result]] = {row.dialogue: row.results for row in ledger.outcomes()}
        return next(iter(numbers.values())), rows


def _usual(
    job: AuditJob,
    material: Material,
    folder: Path,
    runs: Mapping[str, RunResult],
    originals: Mapping[str, Sequence[Result]],
) -> dict[str, Judged]:
    """Each original with its changed copies, and with what it got when the rubric was asked otherwise."""
    columns = _results(folder / ORIGINAL)[0]
    changed = _results(folder / CHANGED)[1] if CHANGED in runs else {}
    copies = copies_by_original(material.changed, changed)
    for probe in chosen_probes(job):
        if probe.change is None and probe.arm.value in runs:
            for name, results in _aligned(folder / probe.arm.value, columns).items():
                copies.setdefault(name, {})[probe.name] = results
    return {
        d.id: Judged(d.cluster, originals[d.id], copies.get(d.id, {}))
        for d in material.originals
        if d.id in originals
    }


def _undefended(material: Material, folder: Path, runs: Mapping[str, RunResult]) -> dict[str, Judged]:
    """Each original and its attacked copies under the prompt without defences."""
    if Arm.UNDEFENDED.value not in runs:
        return {}
    rows = _results(folder / Arm.UNDEFENDED.value)[1]
    copies = copies_by_original(material.copies(Kind.UNDEFENDED), rows)
    return {
        d.id: Judged(d.cluster, rows[d.id], copies.get(d.id, {})) for d in material.originals if d.id in rows
    }


def _aligned(folder: Path, columns: Sequence[Column]) -> dict[str, Sequence[Result]]:
    """The results of a run by dialogue, its criteria in the order of these columns."""
    own, rows = _results(folder)
    place = {column.criterion: number for number, column in enumerate(own)}
    return {name: [results[place[c.criterion]] for c in columns] for name, results in rows.items()}
