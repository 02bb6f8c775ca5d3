"""Preferences between two replies: a judge's choice beside the raters', counted as MT-Bench does.

A judge's choice comes from labels by a rater who is to be taken as a judge, or from the judge's scores of the two
items: the higher one wins, equal ones tie. Pairs are put into one order first, so that nothing depends on which side
was called a.
"""

from __future__ import annotations

import fnmatch
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evalharness.analysis.agreement.contest import AgreeOptions
from evalharness.analysis.agreement.joining import WHOLE, DialogueFacts, ItemKey, PlacedPair
from evalharness.analysis.agreement.table import ScoreColumn, ScoreTable, codes_of
from evalharness.analysis.agreement.types import MOST_SLICES, PAIRWISE, Kind, Row
from evalharness.core.dialogue import Unit
from evalharness.data.words import quoted
from evalharness.errors import InputError, Problem, UsageError
from evalharness.stats.averaging import Grouping
from evalharness.stats.estimate import Estimate, point, undefined
from evalharness.stats.pair_agreement import (
    FIRST,
    SECOND,
    TIE,
    PairAgreement,
    agreement_among,
    agreement_with,
)

_VOTES = {"a": FIRST, "b": SECOND, "tie": TIE}


@dataclass(frozen=True, slots=True)
class _Vote:
    first: ItemKey
    second: ItemKey
    rater: str
    vote: int


def pair_rows(
    table: ScoreTable, pairs: Sequence[PlacedPair], facts: Mapping[str, DialogueFacts], options: AgreeOptions
) -> Iterator[Row]:
    """Agreement of raters with each other and of each judge with them, over all pairs and by turn."""
    by_criterion: dict[str, list[PlacedPair]] = defaultdict(list)
    for pair in pairs:
        by_criterion[pair.pair.criterion.casefold()].append(pair)
    for name in sorted(by_criterion):
        criterion = min(p.pair.criterion for p in by_criterion[name])
        votes = _votes(by_criterion[name])
        yield from _rows(table, criterion, votes, facts, options, "")
        turns = sorted({vote.first.turn for vote in votes})
        for turn in turns if len(turns) > 1 else ():
            some = [vote for vote in votes if vote.first.turn == turn]
            yield from _rows(table, criterion, some, facts, options, f"turn={turn}")
        for where, some in _slices(votes, facts, options.slices):
            yield from _rows(table, criterion, some, facts, options, where)


def _slices(
    votes: Sequence[_Vote], facts: Mapping[str, DialogueFacts], keys: Sequence[str]
) -> Iterator[tuple[str, list[_Vote]]]:
    """The votes on pairs whose dialogues have the same value, by key and value: the largest slices of each key."""
    for key in keys:
        found: dict[str, list[_Vote]] = defaultdict(list)
        for vote in votes:
            first, second = (facts[item.dialogue].slices[key] for item in (vote.first, vote.second))
            if first == second:
                found[first].append(vote)
        largest = sorted(found, key=lambda value: -len(found[value]))[:MOST_SLICES]
        for value in sorted(largest):
            yield f"{key}={value}", found[value]


def check_judges(pairs: Sequence[PlacedPair], options: AgreeOptions) -> None:
    """A rater who is to be taken as a judge and voted on no pair is a :class:`UsageError`."""
    raters = sorted({pair.pair.rater for pair in pairs})
    for pattern in options.judges:
        if not fnmatch.filter(raters, pattern):
            listed = ", ".join(quoted(name, 30) for name in raters[:8]) or "nobody"
            raise UsageError(
                f"--as-judge {pattern} fits no rater of pairs", fix=f"Of pairs there is: {listed}."
            )


def _votes(pairs: Sequence[PlacedPair]) -> list[_Vote]:
    """Votes on pairs in one order; :class:`InputError` for two votes of a rater on a pair."""
    seen: dict[tuple[ItemKey, ItemKey, str], PlacedPair] = {}
    votes, problems = [], []
    for pair in pairs:
        first, second, vote = pair.first, pair.second, _VOTES[pair.pair.value]
        if second < first:
            first, second, vote = second, first, -vote
        key = (first, second, pair.pair.rater)
        before = seen.setdefault(key, pair)
        if before is not pair:
            problems.append(
                Problem(
                    f"{quoted(pair.pair.rater)} already voted on this pair in "
                    f"{before.pair.source}:{before.pair.line}",
                    pair.pair.source,
                    pair.pair.line,
                )
            )
        votes.append(_Vote(first, second, pair.pair.rater, vote))
    if problems:
        raise InputError(problems[:50])
    return sorted(votes, key=lambda v: (v.first, v.second, v.rater))


def _rows(
    table: ScoreTable,
    criterion: str,
    votes: Sequence[_Vote],
    facts: Mapping[str, DialogueFacts],
    options: AgreeOptions,
    where: str,
) -> Iterator[Row]:
    own = [v for v in votes if _is_judge(v.rater, options)]
    human = [v for v in votes if not _is_judge(v.rater, options)]
    pairs = codes_of([f"{v.first!r}{v.second!r}" for v in human])
    groups = codes_of([facts[v.first.dialogue].cluster for v in human])
    values = np.array([v.vote for v in human], dtype=np.intp)
    if len(human) and len({v.rater for v in human}) > 1:
        among = agreement_among(
            pairs, codes_of([v.rater for v in human]), values, groups, level=options.level
        )
        yield from _agreement_rows(PAIRWISE, "", criterion, among, where, Kind.HUMAN, options)
    for name in sorted({v.rater for v in own}):
        known = {(v.first, v.second): v.vote for v in own if v.rater == name}
        yield from _judge_rows(name, "", criterion, known, human, groups, where, options)
    for column in table.columns:
        if column.column.nominal:
            continue
        known = _choices(table, column, human)
        kind = Kind.JUDGE if column.column.judged else Kind.METRIC
        said = f"{criterion} by {column.column.criterion}" if column.column.judged else criterion
        scorer, rubric = column.column.scorer, column.column.rubric
        yield from _judge_rows(scorer, rubric, said, known, human, groups, where, options, kind)


def _is_judge(rater: str, options: AgreeOptions) -> bool:
    return any(fnmatch.fnmatchcase(rater, pattern) for pattern in options.judges)


def _choices(
    table: ScoreTable, column: ScoreColumn, votes: Sequence[_Vote]
) -> dict[tuple[ItemKey, ItemKey], int]:
    """What the scores of the two items say about each pair."""
    unit = WHOLE if column.column.unit is Unit.DIALOGUE else None
    sign = -1 if column.column.higher_is_better is False else 1
    choices = {}
    for vote in votes:
        keys = [ItemKey(i.dialogue, i.turn if unit is None else unit) for i in (vote.first, vote.second)]
        a, b = (table.index.get(key) for key in keys)
        if a is None or b is None:
            continue
        gap = float(column.values[a] - column.values[b])
        if not np.isnan(gap):
            choices[vote.first, vote.second] = sign * int(np.sign(gap))
    return choices


def _judge_rows(
    scorer: str,
    rubric: str,
    criterion: str,
    known: Mapping[tuple[ItemKey, ItemKey], int],
    human: Sequence[_Vote],
    groups: np.ndarray,
    where: str,
    options: AgreeOptions,
    kind: Kind = Kind.JUDGE,
) -> Iterator[Row]:
    kept = [i for i, vote in enumerate(human) if (vote.first, vote.second) in known]
    if not kept:
        return
    judge = np.array([known[human[i].first, human[i].second] for i in kept], dtype=np.intp)
    votes = np.array([human[i].vote for i in kept], dtype=np.intp)
    found = agreement_with(judge, votes, groups[kept], level=options.level)
    yield from _agreement_rows(scorer, rubric, criterion, found, where, kind, options)


def _agreement_rows(
    scorer: str,
    rubric: str,
    criterion: str,
    found: PairAgreement,
    where: str,
    kind: Kind,
    options: AgreeOptions,
) -> Iterator[Row]:
    with_ties = f"{found.agreeing} of {found.pairs} pairs of votes"
    without = f"{found.agreeing_without_ties} of {found.pairs_without_ties} pairs of votes without a tie"
    dropped = (
        undefined("no pair of votes", level=options.level)
        if found.share_dropped is None
        else point(found.share_dropped, n=found.pairs, groups=found.with_ties.groups, level=options.level)
    )
    figures: tuple[tuple[str, Estimate, str], ...] = (
        ("pair_agreement_with_ties", found.with_ties, with_ties),
        ("pair_agreement_without_ties", found.without_ties, without),
        ("pair_kappa_symmetrised", found.kappa, with_ties),
        ("pair_kappa_symmetrised_without_ties", found.kappa_without_ties, without),
        ("pair_share_dropped_with_ties", dropped, with_ties),
    )
    for name, estimate, reason in figures:
        yield Row(
            scorer, rubric, criterion, name, Grouping.POOLED.value, estimate, slice=where,
            undefined=int(estimate.value is None), reason=estimate.undefined or reason, kind=kind, unit=Unit.PAIR,
        )  # fmt: skip
