"""`gate --sequential`: looks at a pair of versions while dialogues arrive, each look going on from the last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalharness.api.snapshots import load_snapshot
from evalharness.core.policy import Policy
from evalharness.core.snapshot import Series, Snapshot
from evalharness.data import strictjson
from evalharness.data.files import private_folder, write_text
from evalharness.data.policies import check_names, load_policy
from evalharness.errors import InputError, Problem, RunConflictError, UsageError
from evalharness.gate.confirming import SeriesKey
from evalharness.gate.same import check_same_instrument
from evalharness.gate.types import Verdict
from evalharness.gate.watching import Arrival, Traffic, Watched, WatchResult, arrivals_of, together, watched
from evalharness.report.gate.sequential import SCHEMA_VERSION, sequential_json

NAME = "sequential.json"
_WHY = (
    "A confidence sequence takes each scenario once, with its first result. Answering or judging the same set again "
    "is no new evidence, and picking the better of two results would break the bounds: start anew with another --out, "
    "on dialogues that nobody has looked at."
)


@dataclass(frozen=True, slots=True)
class WatchJob:
    """Everything that `evalharness gate --sequential` can be told; the looks are kept in ``out`` (the run folder)."""

    run: Path
    baseline: Path
    policy: Path | None = None
    out: Path | None = None
    traffic: Traffic = field(default_factory=Traffic)


@dataclass(frozen=True, slots=True)
class _Looked:
    """What earlier looks have seen of a column."""

    signature: str
    arrivals: tuple[Arrival, ...]


def run_watch(job: WatchJob) -> tuple[WatchResult, Path]:
    """Look once more, and write what was seen.

    Raises ``RunConflictError`` where what an earlier look has seen is no longer there, or has another result.
    """
    policy = Policy() if job.policy is None else load_policy(job.policy)
    baseline, run = load_snapshot(job.baseline), load_snapshot(job.run)
    columns = [series.column for series in run.series]
    check_names(
        policy, (c.criterion for c in columns), (c.criterion for c in columns if c.passes is not None)
    )
    check_same_instrument(baseline, run, policy)
    _check_order(run, baseline, job)
    folder = private_folder(job.out or (job.run if job.run.is_dir() else Path()))
    path = folder / NAME
    before = _earlier(path, job.traffic)
    pairs = [
        (first, second)
        for second in run.series
        if policy.why_not_gating(second.column) is None and (first := baseline.find(second.key)) is not None
    ]
    if not pairs:
        raise UsageError("no criterion gates, so nothing could be decided", fix="See docs/gate.md.")
    rows = tuple(
        _look(baseline, first, run, second, policy, job.traffic, before, len(pairs))
        for first, second in pairs
    )
    seen = max((len(look.arrivals) for look in before.values()), default=0)
    new = max(len(row.arrivals) for row in rows) - seen
    result = WatchResult(together(rows), run.name, baseline.name, policy, job.traffic, rows, new)
    write_text(path, sequential_json(result))
    return result, path


def _look(
    baseline: Snapshot,
    first: Series,
    run: Snapshot,
    second: Series,
    policy: Policy,
    traffic: Traffic,
    before: Mapping[SeriesKey, _Looked],
    tests: int,
) -> Watched:
    found, waiting = arrivals_of(baseline, first, run, second, policy, traffic)
    looked = before.get(second.key)
    if looked is not None:
        if looked.signature != second.column.signature:
            raise RunConflictError(
                f"{second.column.criterion} was measured otherwise at the last look", fix=_WHY
            )
        found = _continued(looked.arrivals, found, second.column.criterion)
    row = watched(second.column, found, waiting, policy, traffic, tests)
    lost = second.without_verdict
    if row.verdict is Verdict.PASS and lost > policy.max_failed * second.items:
        note = f"{lost} of {second.items} items have no verdict, more than {100 * policy.max_failed:g} %"
        return replace(row, verdict=Verdict.INCONCLUSIVE, note=note)
    return row


def _continued(seen: tuple[Arrival, ...], found: list[Arrival], criterion: str) -> list[Arrival]:
    """Earlier arrivals in the order in which they were seen, then the new ones."""
    now = {(arrival.group, arrival.candidate): arrival for arrival in found}
    for arrival in seen:
        other = now.pop((arrival.group, arrival.candidate), None)
        if other is None:
            raise RunConflictError(f"scenario {arrival.group!r}, seen at an earlier look, is gone", fix=_WHY)
        if abs(other.value - arrival.value) > 1e-9:
            raise RunConflictError(
                f"scenario {arrival.group!r} has another result on {criterion} than at an earlier look",
                fix=_WHY,
            )
    return [*seen, *now.values()]


def _check_order(run: Snapshot, baseline: Snapshot, job: WatchJob) -> None:
    """The order of arrival must be known: from the run's ledger, or for split traffic from the named metadata."""
    if job.traffic.share is None:
        if not job.run.is_dir():
            raise UsageError("a baseline file holds no order of arrival", fix="Name the run folder as RUN.")
        return
    for snapshot in (run, baseline):
        lacking = [subject.id for subject in snapshot.subjects if not subject.metadata.get(job.traffic.order)]
        if lacking:
            raise InputError(
                f"dialogue {lacking[0]!r} of {snapshot.name} has no metadata {job.traffic.order!r}: when did it come?",
                fix="Split traffic needs the time of each dialogue: --order metadata.NAME.",
            )


def _earlier(path: Path, traffic: Traffic) -> dict[SeriesKey, _Looked]:
    if not path.exists():
        return {}
    try:
        found = strictjson.loads(path.read_bytes())
        if found["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"version {found['schema_version']!r}")
        stated = Traffic(found["share"], found["order"] or "")
        looks = {_series_key(row): _looked(row) for row in found["criteria"]}
    except (OSError, KeyError, TypeError, ValueError) as error:
        fix = "Remove it to start anew."
        raise InputError(Problem(f"the earlier looks can't be read: {error}", str(path), fix=fix)) from error
    if stated != traffic:
        raise RunConflictError("the earlier looks had another --share or --order", fix=_WHY)
    return looks


def _series_key(row: Mapping[str, Any]) -> SeriesKey:
    return row["scorer"], row["rubric"] or "", row["criterion"]


def _looked(row: Mapping[str, Any]) -> _Looked:
    arrivals = tuple(Arrival(str(group), float(value), bool(arm)) for group, value, arm in row["arrivals"])
    return _Looked(row["signature"], arrivals)
