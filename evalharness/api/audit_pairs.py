"""An audit of a judge that compares pairs: drawn scenarios, both orders, repeats, and votes of people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from evalharness.analysis.agreement.joining import WHOLE, ItemKey, JoinOptions, join_labels
from evalharness.analysis.pairwise import Comparison
from evalharness.api.audit_job import AuditJob, AuditResult
from evalharness.api.folder import open_run
from evalharness.api.pairing import PairwiseJob, PairwiseResult, run_pairwise, system_rows
from evalharness.audit.attacks import dialogue_signs
from evalharness.audit.preferences import Preference, preference_measures
from evalharness.audit.probes import Chooser
from evalharness.audit.types import Audit, Detector, Measure
from evalharness.core.canonical import canonical_json
from evalharness.core.dialogue import Dialogue, TurnChoice
from evalharness.core.native import to_json
from evalharness.core.pairs import OWN_ID, Order
from evalharness.core.rubric import Rubric
from evalharness.core.scores import Failure, Result, Score
from evalharness.data.dialogues import Rejected
from evalharness.data.files import write_text
from evalharness.data.labels.raw import RawPair
from evalharness.data.labels.read import read_labels
from evalharness.data.ledger.store import Ledger
from evalharness.data.rubrics import load_rubric
from evalharness.engine.estimate import JudgeEstimate, estimate_requests
from evalharness.engine.ingest import ingest
from evalharness.engine.pairs import match_all
from evalharness.engine.progress import Progress
from evalharness.errors import InputError, UsageError
from evalharness.judges.pair_panel import PairPanel
from evalharness.judges.pair_spec import make_pair_judges
from evalharness.llm.pricing import Prices
from evalharness.report.execution import total_cost

_VOTES = {"a": 1, "tie": 0, "b": -1}
_Places = tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The drawn scenarios, and people's votes on pairs of all, by the two items."""

    dialogues: tuple[Dialogue, ...]
    votes: Mapping[_Places, tuple[int, ...]]
    notes: tuple[str, ...]


def run_pair_audit(
    job: AuditJob,
    rubric: Rubric,
    folder: Path,
    epoch: str,
    progress: Progress | None,
    stdin: BinaryIO | None,
) -> AuditResult:
    """Audit a judge that compares pairs, or resume."""
    _check(job)
    drawn = _draw(job, stdin)
    result = run_pairwise(_pairwise_job(job, folder, drawn.dialogues, epoch), progress)
    with open_run(result.folder.path) as (_, ledger):
        cost = total_cost(ledger.attempt_totals())
    audit = _audit(job, rubric, drawn, result, cost)
    return AuditResult(folder, audit, result.finished.complete, result.finished.signal)


def estimate_pair_audit(
    job: AuditJob, rubric: Rubric, folder: Path, stdin: BinaryIO | None
) -> list[JudgeEstimate]:
    """What such an audit would send; ``folder`` is a scratch folder."""
    _check(job)
    pairwise = _pairwise_job(job, folder, _draw(job, stdin).dialogues, "estimate")
    judges = make_pair_judges(
        pairwise.judges, [rubric], pairwise.judge_options, job.model_options, job.composed_judges
    )
    with Ledger(folder / "estimate.sqlite") as ledger:
        ingest(ledger, system_rows(pairwise), folder / "rejected.jsonl", skip_bad=False, update=False)
        systems = sorted({stored.load().system for stored in ledger.sorted_dialogues()})
        matches = match_all(ledger, systems, None if job.whole else TurnChoice.ALL).matches
        secret = ledger.secret()
    rows = []
    for judge in judges:
        planner = getattr(judge, "requests", None)
        planned = (
            one
            for match in matches
            for order in Order
            for one in (planner(match.shown(order), secret) if planner is not None else ())
        )
        items = len(matches) * len(Order)
        name = f"{judge.name} on {rubric.name} (pairs)"
        prices = Prices.from_settings(job.prices)
        rows.append(estimate_requests(name, items, planned, len(rubric.criteria), prices))
    return rows


def _check(job: AuditJob) -> None:
    if job.probes or job.since is not None or job.paraphrase is not None:
        raise UsageError(
            "--probe, --since and --paraphrase go with rubrics of replies or dialogues",
            fix="A rubric that compares pairs is audited for position, length and self-preference.",
        )


def _read(job: AuditJob, stdin: BinaryIO | None) -> Iterator[Dialogue]:
    """All dialogues, each under an id that names its system."""
    pairwise = PairwiseJob(job.sources, job.out, (job.judge,), (job.rubric,), by=job.by, read=job.read)
    for row in system_rows(pairwise, stdin):
        if isinstance(row, Rejected):
            raise InputError([row.problem])
        yield row.dialogue


def _draw(job: AuditJob, stdin: BinaryIO | None) -> _Drawn:
    dialogues = list(_read(job, stdin))
    groups: dict[str, list[Dialogue]] = defaultdict(list)
    for dialogue in dialogues:
        groups[dialogue.cluster].append(dialogue)
    votes, notes = _votes(job, dialogues, stdin)
    rated = {name for places in votes for name, _ in places}
    shared = [name for name, some in groups.items() if len({d.system for d in some}) > 1]
    if not shared:
        raise InputError(
            "no two systems answer the same scenario",
            fix="Name two files, or with one file --by KEY, and give answers to one scenario the same group.",
        )
    order = sorted(
        shared,
        key=lambda name: (
            not any(d.id in rated for d in groups[name]),
            Chooser(job.seed, name)(1 << 62),
            name,
        ),
    )
    kept = set(order[: job.size])
    return _Drawn(tuple(d for d in dialogues if d.cluster in kept), votes, notes)


def _votes(
    job: AuditJob, dialogues: Sequence[Dialogue], stdin: BinaryIO | None
) -> tuple[dict[_Places, tuple[int, ...]], tuple[str, ...]]:
    """People's votes by the items of the pair, in either order of the two."""
    if not job.people.labels:
        return {}, ()
    found = read_labels(job.people.labels, job.people.reading, stdin=stdin)
    if not found.pairs:
        raise UsageError(
            "the label files hold no preference between two replies",
            fix="A rubric that compares pairs needs labels with dialogue_a, dialogue_b and a value a, b or tie.",
        )
    mapped = {own.casefold(): theirs for own, theirs in job.people.options.map.items()}
    wanted = {mapped.get(c.id.casefold(), c.id).casefold() for c in load_rubric(job.rubric).criteria}
    asked = [pair for pair in found.pairs if pair.criterion.casefold() in wanted]
    names = {d.id for d in dialogues}
    key = "id" if all({p.dialogue_a, p.dialogue_b} <= names for p in asked) else f"metadata.{OWN_ID}"
    joined = join_labels(dialogues, (), asked, JoinOptions(key, job.people.join.raters))
    votes: dict[_Places, list[int]] = defaultdict(list)
    for placed in joined.pairs:
        value = _VOTES[placed.pair.value]
        first, second = _place(placed.first), _place(placed.second)
        votes[first, second].append(value)
        votes[second, first].append(-value)
    notes = [] if len(asked) == len(found.pairs) else [_of_others(found.pairs, asked, job.rubric)]
    return {places: tuple(values) for places, values in votes.items()}, tuple(notes)


def _of_others(pairs: Sequence[RawPair], asked: Sequence[RawPair], rubric: str) -> str:
    left = len(pairs) - len(asked)
    return (
        f"{left:,} of {len(pairs):,} preferences are about criteria that {rubric} does not ask (--label-map)"
    )


def _place(item: ItemKey) -> tuple[str, int | None]:
    return item.dialogue, None if item.turn == WHOLE else item.turn


def _pairwise_job(job: AuditJob, folder: Path, dialogues: Iterable[Dialogue], epoch: str) -> PairwiseJob:
    """The comparison of the drawn scenarios, which are written under their own ids."""
    path = folder / "scenarios.jsonl"
    own = (replace(d, id=str(d.metadata[OWN_ID])) for d in dialogues)
    write_text(path, (canonical_json(to_json(dialogue)) + "\n" for dialogue in own))
    return PairwiseJob(
        sources=(str(path),),
        out=folder / "pairs",
        judges=(job.judge,),
        rubrics=(job.rubric,),
        by="system",
        whole=job.whole,
        limits=job.limits,
        judge_options=replace(job.judge_options, samples=1 if _is_panel(job) else job.samples),
        model_options=job.model_options,
        composed_judges=job.composed_judges,
        prices=job.prices,
        epoch=epoch,
    )


def _is_panel(job: AuditJob) -> bool:
    """Whether the judge is a panel, whose votes need both orders and so are not repeated within one."""
    judges = make_pair_judges(
        [job.judge], [load_rubric(job.rubric)], job.judge_options, job.model_options, job.composed_judges
    )
    return any(isinstance(judge, PairPanel) for judge in judges)


def _audit(job: AuditJob, rubric: Rubric, drawn: _Drawn, result: PairwiseResult, cost: float | None) -> Audit:
    clean = sum(bool(dialogue_signs(dialogue)) for dialogue in drawn.dialogues)
    measures: list[Measure] = []
    for column, comparisons in result.comparisons:
        pairs = [p for p in (_preference(c, drawn.votes) for c in comparisons) if p is not None]
        measures += preference_measures(column.criterion, pairs, job.margin, job.own)
    columns = tuple(column for column, _ in result.comparisons)
    rated = any(measure.name == "longer reply beyond people's" for measure in measures)
    missing = [] if rated else [("length beyond people's", "needs --labels with preferences between replies")]
    if not (rated and job.own):
        missing.append(("self-preference", "needs --own SYSTEM, the judge's own model, and --labels"))
    if _is_panel(job):
        missing.append(("a panel's noise", "its votes need both orders: audit its members by themselves"))
    return Audit(
        judge=columns[0].scorer if columns else job.judge,
        rubric=rubric.name,
        signature=columns[0].signature if columns else "",
        columns=columns,
        items=result.analysis.pairs,
        groups=result.analysis.groups,
        margin=job.margin,
        effects=(),
        stability=(),
        spread=(),
        detector=Detector(0, 0, len(drawn.dialogues), clean),
        left_out=(),
        cost=cost,
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        partial=result.analysis.partial,
        measures=tuple(measures),
        missing=tuple(missing),
        notes=drawn.notes,
        pairs=True,
    )


def _preference(comparison: Comparison, votes: Mapping[_Places, tuple[int, ...]]) -> Preference | None:
    """The pair with all single verdicts; None where an order has none."""
    both = {order: _single(comparison.results.get(order)) for order in Order}
    if not all(both.values()):
        return None
    gap = comparison.length_difference
    return Preference(
        comparison.group,
        comparison.systems,
        both,
        (gap > 0) - (gap < 0),
        votes.get(comparison.places, ()),
    )


def _single(result: Result | None) -> list[int]:
    """The single verdicts in an order: also where they are tied, which is noise and no reason to drop the pair."""
    match result:
        case Score(value=value, samples=samples):
            said = samples or (value,)
        case Failure(samples=samples):
            said = samples
        case _:
            said = ()
    return [_VOTES[value] for value in said if isinstance(value, str) and value in _VOTES]
