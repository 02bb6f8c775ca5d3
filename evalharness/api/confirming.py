"""Failures that the policy wants confirmed: the run's judge, or the policy's, is asked about each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalharness.api.folder import open_run
from evalharness.api.rejudging import Asked, Terms, Wanted, ask_again, stored_dialogues
from evalharness.core.policy import Policy
from evalharness.core.scores import Column, Failure, Result, Score
from evalharness.core.snapshot import Snapshot
from evalharness.gate.confirming import Again, Doubt, doubts, pass_rule
from evalharness.gate.types import Fresh
from evalharness.judges.spec import composed_name, parse_spec
from evalharness.judges.votes import members_of

PURPOSE = "confirm"
_RECORDED = ("replay", "fitted")
"""Judges that give one answer for ever: asking them again tells nothing."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The fresh verdicts, what they cost (USD; None: not known), and the signal that interrupted the asking."""

    again: Again = field(default_factory=Again)
    cost: float | None = 0.0
    signal: int | None = None


def confirm(path: Path, baseline: Snapshot, run: Snapshot, policy: Policy, terms: Terms) -> Confirmed:
    """Ask again about every failure that needs it, as often as the policy says, judge by judge.

    UsageError where the policy's ``confirm_by`` is no judge.
    """
    by = policy.confirm_by
    if by is not None and composed_name(by)[1] not in terms.composed:
        parse_spec(by)
    wanted = doubts(baseline, run, policy)
    if not wanted:
        return Confirmed()
    if not path.is_dir():
        return Confirmed(Again(missing=f"{path} holds no dialogues to judge again: name the run folder"))
    verdicts: dict[tuple[tuple[str, str, str], str, int | None], Fresh] = {}
    missing: dict[str, None] = {}
    cost: float | None = 0.0
    for (scorer, _, samples), rows in _by_asking(wanted).items():
        if by is None and _is_recorded(scorer, run):
            missing[f"{scorer} is a recording and can't be asked again; it needs {samples} samples"] = None
            continue
        asked = _ask(path, rows, terms, by)
        cost = None if cost is None or asked.cost is None else cost + asked.cost
        if asked.missing:
            missing[asked.missing] = None
        for doubt in rows:
            fresh = _fresh(doubt, asked)
            if fresh is not None:
                verdicts[doubt.key, doubt.dialogue, doubt.turn] = fresh
        if asked.signal is not None:
            return Confirmed(Again(verdicts, "interrupted"), cost, asked.signal)
    return Confirmed(Again(verdicts, "; ".join(missing)), cost)


def _by_asking(wanted: Sequence[Doubt]) -> dict[tuple[str, str, int], list[Doubt]]:
    found: dict[tuple[str, str, int], list[Doubt]] = defaultdict(list)
    for doubt in wanted:
        found[doubt.key[0], doubt.key[1], doubt.confirm].append(doubt)
    return found


def _ask(path: Path, rows: Sequence[Doubt], terms: Terms, by: str | None) -> Asked:
    """Have doubts of one judge, rubric and number of verdicts judged."""
    places: dict[str, list[int | None]] = defaultdict(list)
    for doubt in rows:
        places[doubt.dialogue].append(doubt.turn)
    with open_run(path) as (_, ledger):
        dialogues = stored_dialogues(ledger, places)
    (scorer, rubric, _), samples = rows[0].key, rows[0].confirm
    return ask_again(path, Wanted(PURPOSE, scorer, rubric, dialogues, samples, by), terms)


def _is_recorded(scorer: str, run: Snapshot) -> bool:
    """Whether the judge of this name is no model: its signature says so."""
    signature = next(s.column.signature for s in run.series if s.column.scorer == scorer)
    return any(f"protocol:{name}" in signature for name in _RECORDED)


def _fresh(doubt: Doubt, asked: Asked) -> Fresh | None:
    results = asked.results.get((doubt.dialogue, doubt.turn))
    place = next((i for i, c in enumerate(asked.columns) if c.criterion == doubt.key[2]), None)
    if results is None or place is None:
        return None
    return _counted(results[place], asked.columns[place])


def _counted(result: Result, column: Column) -> Fresh | None:
    """The verdicts of a fresh asking: unusable ones are among those asked for, and neither fail nor pass."""
    rule = pass_rule(column)
    if rule is None or not isinstance(result, Score | Failure):
        return None
    own = (result.value,) if isinstance(result, Score) else ()
    samples = (
        own if members_of(result) is not None else result.samples or own
    )  # members are one verdict together
    values = [float(value) for value in samples if isinstance(value, int | float)]
    failing = sum(not rule(value) for value in values)
    return Fresh(failing, len(values) - failing, max(1, len(samples)))
