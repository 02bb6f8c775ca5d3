"""How well the raters agree with each other: the ceiling of every judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from evalharness.analysis.agreement.contest import AgreeOptions, Contest, Entrant, interchangeable
from evalharness.analysis.agreement.drawing import BY_REPEATING
from evalharness.analysis.agreement.measuring import pair_function
from evalharness.analysis.agreement.names import EXTRA, ON_MAJORITY
from evalharness.analysis.agreement.rows import leading, plain_row
from evalharness.analysis.agreement.types import AMONG, INTRA, LEAVE_ONE_OUT, PAIRWISE, AltVerdict, Kind, Row
from evalharness.stats.alt_test import AltTest, Closeness, alternative_annotator_test
from evalharness.stats.arrays import FloatArray, IntArray
from evalharness.stats.averaging import Grouping
from evalharness.stats.catalogue import rater_statistic
from evalharness.stats.ceiling import Consensus, LeaveOneOut, intra_rater, leave_one_out, pairwise_ceiling
from evalharness.stats.estimate import Estimate
from evalharness.stats.grouped import PairStatistic
from evalharness.stats.weighting import collapsed, repeated

ONE_RATER = "One rater: there is no human ceiling. A second rater on some of the items would give one."
_MIN_ALT_RATERS = 3


def ceiling_note(contest: Contest) -> str:
    """One sentence where no item has two raters; empty otherwise."""
    several = (~np.isnan(contest.ratings)).sum(axis=1) >= 2
    if bool(several.any()):
        return ""
    if contest.ratings.shape[1] == 1:
        return ONE_RATER
    return f"{contest.ratings.shape[1]} raters, no item rated by two: there is no human ceiling."


def human_rows(contest: Contest, options: AgreeOptions) -> Iterator[Row]:
    """Leave-one-out and pairwise ceilings on the items that every judge scored, alpha, and second looks."""
    if not ceiling_note(contest):
        ratings, mask = _judged_items(contest)
        for name in leading(contest, options):
            yield from _ceiling_rows(contest, ratings, mask, name, options)
        yield from _among_rows(contest, ratings, mask, options)
    yield from _intra_rows(contest, options)


def judge_rows(contest: Contest, entrant: Entrant, options: AgreeOptions) -> Iterator[Row]:
    """The judge against the same consensus of the other raters that each human is held to, and the difference."""
    if ceiling_note(contest):
        return
    for name in leading(contest, options)[:1]:
        found = leave_one_out_of(contest, entrant, name, options.level)
        if found is None:
            continue
        yield plain_row(contest, entrant, f"{name}_leave_one_out", found.judge)
        yield plain_row(contest, entrant, f"{name}_minus:{LEAVE_ONE_OUT}", found.difference)


def leave_one_out_of(
    contest: Contest, entrant: Entrant | None, name: str, level: float
) -> LeaveOneOut | None:
    """Raters (and a judge) against the consensus of the other raters; None where the statistic has no such form."""
    scale = contest.scale if entrant is None else entrant.scale
    matrix = contest.ratings if entrant is None else entrant.ratings
    function = None if name in EXTRA else pair_function(name, scale)
    if function is None or isinstance(function, str):
        return None
    judge = None if entrant is None else entrant.values
    return _left_out(
        interchangeable(matrix), function, judge, contest.groups, contest.copies, name, scale.levels, level
    )


def _left_out(
    ratings: FloatArray,
    function: PairStatistic,
    judge: FloatArray | None,
    groups: np.ndarray,
    copies: IntArray | None,
    name: str,
    levels: tuple[float, ...],
    level: float,
) -> LeaveOneOut | None:
    if copies is not None and name in BY_REPEATING:
        rows = repeated(copies)
        again = None if judge is None else judge[rows]
        found = _left_out(ratings[rows], function, again, groups[rows], None, name, levels, level)
        plain = _left_out(ratings, function, judge, groups, None, name, levels, level)
        if found is None or plain is None:
            return None
        return replace(
            found,
            human=_counted(found.human, plain.human),
            judge=_counted(found.judge, plain.judge),
            difference=_counted(found.difference, plain.difference),
        )
    if name not in ON_MAJORITY:
        return leave_one_out(ratings, function, judge, groups, level=level)
    if len(levels) < 2 or not np.isin(ratings[~np.isnan(ratings)], levels).all():
        return None
    if judge is not None:
        from evalharness.analysis.agreement.scales import Scale

        judge = Scale(levels).nearest(judge)
    return leave_one_out(
        ratings, function, judge, groups, consensus=Consensus.MAJORITY, categories=levels, level=level
    )


def _counted(found: Estimate, plain: Estimate) -> Estimate:
    """A figure of repeated items with the count of the items themselves."""
    return replace(found, n=plain.n)


def _judged_items(contest: Contest) -> tuple[FloatArray, np.ndarray]:
    """Ratings of the items that all judges scored, and which these are; all items where that leaves too few."""
    mask = np.ones(len(contest.items), dtype=bool)
    for judge in contest.judges:
        mask &= ~np.isnan(judge.values)
    if mask.sum() < 3:
        mask[:] = True
    return interchangeable(contest.ratings[mask]), mask


def _ceiling_rows(
    contest: Contest, ratings: FloatArray, mask: np.ndarray, name: str, options: AgreeOptions
) -> Iterator[Row]:
    function = None if name in EXTRA else pair_function(name, contest.scale)
    if function is None or isinstance(function, str):
        return
    groups = contest.groups[mask]
    copies = None if contest.copies is None else contest.copies[mask]
    levels = contest.scale.levels
    left_out = _left_out(ratings, function, None, groups, copies, name, levels, options.level)
    if left_out is not None:
        yield _row(contest, LEAVE_ONE_OUT, name, left_out.human)
    if name in ON_MAJORITY and not np.isin(ratings[~np.isnan(ratings)], levels).all():
        return
    found = pairwise_ceiling(ratings, function, groups, level=options.level).estimate
    if copies is not None and name in BY_REPEATING:
        rows = repeated(copies)
        again = pairwise_ceiling(ratings[rows], function, groups[rows], level=options.level).estimate
        found = _counted(again, found)
    yield _row(contest, PAIRWISE, name, found)


def _among_rows(
    contest: Contest, ratings: FloatArray, mask: np.ndarray, options: AgreeOptions
) -> Iterator[Row]:
    """Krippendorff's alpha of all raters, at the level of measurement that fits."""
    metrics = ("nominal",) if contest.scale.classes else ("ordinal", "interval")
    for metric in metrics:
        statistic = rater_statistic(f"krippendorff_{metric}")
        if contest.copies is None:
            found = statistic(ratings)
        else:
            copies = contest.copies[mask]
            found = collapsed(statistic(ratings[repeated(copies)]), copies)
        estimate = found.estimate(contest.groups[mask], level=options.level)
        yield _row(contest, AMONG, f"krippendorff_{metric}", estimate)


def _intra_rows(contest: Contest, options: AgreeOptions) -> Iterator[Row]:
    """Raters with their own second look."""
    looks = contest.labels.looks
    name = leading(contest, options)[0]
    function = None if name in EXTRA else pair_function(name, contest.scale)
    if not looks or function is None or isinstance(function, str):
        return
    numbers = _numbers_by_code(contest)
    first, second = (np.array([numbers[look[k]] for look in looks]) for k in (2, 3))
    groups = contest.groups[[look[0] for look in looks]]
    raters = [look[1] for look in looks]
    found = intra_rater(first, second, function, raters, groups, level=options.level)
    yield _row(contest, INTRA, name, found.estimate)
    yield _row(contest, INTRA, "changed", found.changed)


def _numbers_by_code(contest: Contest) -> dict[int, float]:
    codes, ratings = contest.labels.codes, contest.ratings
    rated = codes >= 0
    numbers = dict(zip(codes[rated].tolist(), ratings[rated].tolist(), strict=True))
    # A value that occurs in second looks only has no place in the matrix: it is placed like its neighbours.
    return {code: numbers.get(code, float("nan")) for code in range(len(contest.labels.values))} | {
        code: float(value)
        for code, value in enumerate(contest.labels.values)
        if code not in numbers and not isinstance(value, str)
    }


def _row(contest: Contest, scorer: str, name: str, estimate: Estimate) -> Row:
    return Row(
        scorer,
        "",
        contest.criterion,
        name,
        Grouping.POOLED.value,
        estimate,
        undefined=int(estimate.value is None),
        reason=estimate.undefined or "",
        kind=Kind.HUMAN,
        unit=contest.labels.unit,
        weighted=None if scorer == INTRA else contest.drawing.of(name, Grouping.POOLED.value, among=True),
    )


def alt_verdict(contest: Contest, entrant: Entrant, options: AgreeOptions) -> AltVerdict | None:
    """The alternative annotator test of a judge; None with fewer than three raters or without a common scale."""
    ratings, scale = entrant.ratings, entrant.scale
    if ratings.shape[1] < _MIN_ALT_RATERS or ratings.shape[1] > 100 or not scale.same:
        return None
    closeness = Closeness.MATCH if scale.classes else Closeness.RMSE
    judge = scale.nearest(entrant.values) if scale.classes else entrant.values
    if scale.classes and not np.isin(ratings[~np.isnan(ratings)], scale.levels).all():
        return None
    found = alternative_annotator_test(
        judge, ratings, epsilon=options.epsilon, closeness=closeness,
        categories=scale.levels if scale.classes else None, groups=contest.groups, level=options.level,
    )  # fmt: skip
    raters = tuple(
        (
            contest.labels.raters[r.annotator],
            r.n,
            r.judge_wins,
            r.human_wins,
            r.p,
            r.p_clustered,
            r.rejected,
            r.note,
        )
        for r in found.annotators
    )
    return AltVerdict(
        entrant.scorer, entrant.rubric, options.epsilon, found.winning_rate, found.winning_rate_clustered,
        found.advantage, _alt_sentence(found), raters,
    )  # fmt: skip


def _alt_sentence(found: AltTest) -> str:
    if found.winning_rate is None:
        return f"Alternative annotator test: undefined, {found.undefined}."
    verdict = "passes" if found.passed else "does not pass"
    text = (
        f"{verdict} the alternative annotator test: it may replace {found.winning_rate:.0%} of {found.tested} raters "
        f"at epsilon {found.epsilon:g} (50 % are needed)"
    )
    if found.passed_clustered is not None and found.passed_clustered != found.passed:
        text += "; with clustering by group the outcome is the opposite"
    return f"{text}."


def alt_rows(contest: Contest, entrant: Entrant, verdict: AltVerdict) -> Iterator[Row]:
    """The test's omega, plain and clustered, and its rho."""
    from evalharness.stats.estimate import point, undefined

    n, tested = len(contest.items), sum(row[4] is not None for row in verdict.raters)
    for name, value in (
        ("alt_test_omega", verdict.winning_rate),
        ("alt_test_omega_clustered", verdict.winning_rate_clustered),
    ):
        estimate = (
            undefined("no rater could be tested", n=n)
            if value is None
            else point(value, n=n, groups=tested, method=f"{tested} raters, epsilon {verdict.epsilon:g}")
        )
        yield plain_row(contest, entrant, name, estimate)
    yield plain_row(contest, entrant, "alt_test_rho", verdict.advantage)
