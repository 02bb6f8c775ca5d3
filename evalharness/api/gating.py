"""A run against its baseline: read both, check that they were measured alike, decide, write the results."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalharness.api.analysing import planned_columns
from evalharness.api.anchoring import Judged, facts_of, judge_anchors, recorded_signatures
from evalharness.api.confirming import Confirmed, confirm
from evalharness.api.folder import open_run
from evalharness.api.human_scale import calibrated_runs, labels_of_runs
from evalharness.api.recipe import recorded_recipe, rubric_lines
from evalharness.api.rejudging import Terms
from evalharness.api.snapshots import load_snapshot
from evalharness.core.policy import Amount, Policy
from evalharness.core.snapshot import Snapshot
from evalharness.data.anchor_facts import write_anchor_facts
from evalharness.data.anchors import read_anchors
from evalharness.data.baselines import write_baseline
from evalharness.data.calibrations import read_calibration
from evalharness.data.files import private_folder, write_text
from evalharness.data.policies import check_names, load_policy
from evalharness.errors import RunConflictError, UsageError
from evalharness.gate.confirming import SeriesKey
from evalharness.gate.decide import gate
from evalharness.gate.evidence import Evidence
from evalharness.gate.planning import Plan, plans_of
from evalharness.gate.same import changed_columns, check_same_instrument, with_judges_of
from evalharness.gate.types import GateResult, Ruler, Verdict

_SUMMARY_LIMIT = 1_000_000
"""Bytes that a step summary may have on GitHub, with room to spare."""


@dataclass(frozen=True, slots=True)
class GateJob:
    """Everything that `evalharness gate` can be told. ``out`` is where results go: by default the run folder."""

    run: Path
    baseline: Path
    policy: Path | None = None
    out: Path | None = None
    terms: Terms = field(default_factory=Terms)
    labels: tuple[str, ...] = ()
    calibrations: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """The result, and the files that hold it.

    ``cost`` is what fresh verdicts cost (USD; None: not known); ``signal`` interrupted asking for them; ``fingerprint``
    names the run's scores (None for a baseline file).
    """

    result: GateResult
    written: tuple[Path, ...]
    cost: float | None = 0.0
    signal: int | None = None
    fingerprint: str | None = None


def run_gate(job: GateJob) -> GateOutcome:
    """Ask for the fresh verdicts that the policy wants, decide, and write gate.json, gate.md and gate.xml.

    Raises ``RunConflictError`` naming what was measured differently, ``ConfigError`` for a policy that does not fit.
    """
    policy = Policy() if job.policy is None else load_policy(job.policy)
    baseline, run = load_snapshot(job.baseline), load_snapshot(job.run)
    columns = [series.column for series in run.series]
    check_names(
        policy, (c.criterion for c in columns), (c.criterion for c in columns if c.passes is not None)
    )
    baseline = with_judges_of(baseline, run)
    changed = changed_columns(baseline, run, policy)
    curves = tuple(curve for path in job.calibrations for curve in read_calibration(path))
    baseline, run, told = calibrated_runs(baseline, run, curves) if curves else (baseline, run, {})
    labels = (
        labels_of_runs(job.labels, (job.baseline, baseline), (job.run, run), policy) if job.labels else {}
    )
    joined = {*labels, *told}
    watched = _watched(job, baseline, run, policy, changed, joined)
    confirmed = Confirmed() if watched.signal else confirm(job.run, baseline, run, policy, job.terms)
    rulers, unread = _usable(watched, changed)
    if told:  # anchors hold scores as the judge gave them
        rulers = {key: ruler for key, ruler in rulers.items() if key not in told}
    unbridged = {key: how for key, how in changed.items() if key not in rulers and key not in joined}
    evidence = Evidence(confirmed.again, rulers, unread, unbridged, labels, told, changed)
    result = gate(baseline, run, policy, evidence)
    if job.terms.dry:
        return GateOutcome(result, ())
    fingerprint = _fingerprint(job.run)
    written = write_gate(result, job.out or (job.run if job.run.is_dir() else Path()), fingerprint)
    if watched.digest and job.run.is_dir():
        write_anchor_facts(job.run, watched.digest, facts_of(watched.rulers))
    cost = None if watched.cost is None or confirmed.cost is None else watched.cost + confirmed.cost
    return GateOutcome(result, written, cost, watched.signal or confirmed.signal, fingerprint)


def _watched(
    job: GateJob,
    baseline: Snapshot,
    run: Snapshot,
    policy: Policy,
    changed: Mapping[SeriesKey, str],
    joined: Collection[SeriesKey],
) -> Judged:
    """The anchors that the policy names, judged afresh; a change that they don't bridge is refused before it costs."""
    if policy.anchors is None:
        check_same_instrument(baseline, run, policy, joined)
        return Judged()
    anchors = read_anchors(Path(policy.anchors))
    recorded = recorded_signatures(run, anchors, policy)
    before = {series.key: series.column.signature for series in baseline.series}
    bridged = [key for key in changed if recorded.get(key) == before[key]]
    check_same_instrument(baseline, run, policy, [*bridged, *joined])
    if not any(s.column.judged and policy.why_not_gating(s.column) is None for s in run.series):
        return Judged()
    return judge_anchors(job.run, run, anchors, policy, job.terms)


def _usable(watched: Judged, changed: Mapping[SeriesKey, str]) -> tuple[dict[SeriesKey, Ruler], str]:
    """The rulers that tell something: anchors of an instrument that neither run used tell nothing."""
    rulers = {key: r for key, r in watched.rulers.items() if r.changed == changed.get(key, "")}
    unread = [watched.unread] if watched.unread else []
    for key, ruler in watched.rulers.items():
        if key not in rulers:
            unread.append(
                f"they were recorded otherwise than {key[2]} is measured ({ruler.changed}): make them anew"
            )
    return rulers, "; ".join(unread)


def _fingerprint(run: Path) -> str | None:
    """The scores of a run folder by a hash; None for a baseline file."""
    if not run.is_dir():
        return None
    with open_run(run) as (_, ledger):
        return ledger.fingerprint(planned_columns(ledger))


def write_gate(result: GateResult, folder: Path, fingerprint: str | None = None) -> tuple[Path, ...]:
    """Write the result in every form that machines and people read."""
    from evalharness.report.gate.document import gate_json
    from evalharness.report.gate.junit import gate_junit
    from evalharness.report.gate.markdown import gate_markdown

    files = {
        folder / "gate.json": gate_json(result, fingerprint),
        folder / "gate.md": gate_markdown(result),
        folder / "gate.xml": gate_junit(result),
    }
    private_folder(folder)
    for path, text in files.items():
        write_text(path, text)
    return tuple(files)


def github_output(
    result: GateResult, run: Path | None = None, environment: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """The annotations to print under GitHub Actions (none elsewhere); the step summary is appended to its file.

    Lines of rubrics are known from the folder of the run.
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return ()
    from evalharness.report.gate.annotations import workflow_commands
    from evalharness.report.gate.markdown import gate_markdown

    summary = environment.get("GITHUB_STEP_SUMMARY")
    if summary:
        text = gate_markdown(result)
        with Path(summary).open("a", encoding="utf-8", errors="backslashreplace") as out:
            out.write(text if len(text.encode()) < _SUMMARY_LIMIT else text[: _SUMMARY_LIMIT // 4])
    lines = {}
    if run is not None and run.is_dir():
        with open_run(run) as (_, ledger):
            lines = rubric_lines(ledger)
    return workflow_commands(result, lines)


def plan(run: Path | None, policy: Path | None, max_drop: Amount | None) -> tuple[Plan, ...]:
    """How many scenarios are needed: from the scatter of a run, or for a range of scatters."""
    rules = Policy() if policy is None else load_policy(policy)
    snapshot = None if run is None else load_snapshot(run)
    cost = None if run is None or not run.is_dir() else _cost_per_sample(run, snapshot)
    return plans_of(snapshot, rules, max_drop, cost)


def save_baseline(run: Path, out: Path) -> Snapshot:
    """Write the baseline file of a run."""
    snapshot = load_snapshot(run)
    write_baseline(out, snapshot)
    return snapshot


def promote(run: Path, out: Path, *, force: bool) -> Snapshot:
    """Make a run the baseline; refused unless its gate passed, or ``force``."""
    if not force:
        _check_passed(run)
    return save_baseline(run, out)


def _check_passed(run: Path) -> None:
    import json

    path = run / "gate.json"
    fix = "Run `evalharness gate` on it first, or say --force."
    try:
        verdict = json.loads(path.read_bytes()).get("verdict")
    except FileNotFoundError:
        raise UsageError(f"{run} has not been gated (it has no gate.json)", fix=fix) from None
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"can't read {path}: {error}", fix=fix) from error
    if verdict != Verdict.PASS.value:
        raise RunConflictError(
            f"the gate of {run} did not pass: {verdict}", fix="Say --force to promote it anyway."
        )


def _cost_per_sample(run: Path, snapshot: Snapshot | None) -> float | None:
    """What judging one group of this run once cost (USD); None where it is not known or nothing was judged."""
    with open_run(run) as (_, ledger):
        totals: Sequence[float | None] = [row.cost for row in ledger.attempt_totals()]
        asked = recorded_recipe(ledger)
    known = [cost for cost in totals if cost is not None]
    if snapshot is None or not snapshot.groups or not known or len(known) < len(totals):
        return None
    return sum(known) / snapshot.groups / (1 if asked is None else asked.options.samples)
