"""Requirements on figures: ``kappa>=.6``, ``tone:spearman.low>=.5``, ``spearman[lang=de]>=.4``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evalharness.analysis.agreement.names import known_statistic
from evalharness.analysis.agreement.types import Kind, Row
from evalharness.errors import Problem, UsageError

_FORM = re.compile(
    r"\s*(?:(?P<scope>(?!(?:precision|recall|f1):)[^:<>=]+(?::[^:<>=]+)*?):)?(?P<name>(?:precision|recall|f1):[^:<>=\[\]]+?|[A-Za-z][A-Za-z0-9_]*)"
    r"(?:\[(?P<slice>[^\[\]]+)\])?(?P<limit>\.low|\.high)?\s*"
    r"(?P<op>>=|<=|>|<)\s*(?P<bound>[+-]?(?:\d+\.?\d*|\.\d+))\s*"
)
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_NAMED = ("pair_", "precision:", "recall:", "f1:")
_OTHERS = ("alt_test_omega", "alt_test_omega_clustered", "alt_test_rho")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A bound on a statistic of every judge, or of those that ``scope`` names (a scorer or a criterion).

    ``slice`` is ``key=value``, or ``key=*`` for every value; empty for all items.
    """

    text: str
    statistic: str
    limit: str
    op: str
    bound: float
    scope: str = ""
    slice: str = ""

    @property
    def slice_key(self) -> str:
        """The metadata of the slice."""
        return self.slice.partition("=")[0]


def parse_requirement(text: str) -> Requirement:
    """The requirement that a text states; a :class:`UsageError` for anything else."""
    match = _FORM.fullmatch(text)
    if match is None:
        fix = (
            "Write [SCORER or CRITERION:]STATISTIC[.low]>=NUMBER, for example kappa>=.6, spearman.low>=.5 or, in a "
            "slice, spearman[lang=de]>=.4."
        )
        raise UsageError(f"--require {text!r} is no requirement", fix=fix)
    name = match["name"]
    known = name if name in _OTHERS or name.startswith(_NAMED) else known_statistic(name)
    limit = (match["limit"] or "").lstrip(".")
    scope, where = ((match[part] or "").strip() for part in ("scope", "slice"))
    if where and not all(where.partition("=")):
        raise UsageError(
            f"--require {text!r} names no slice", fix="Write KEY=VALUE, or KEY=* for every value."
        )
    return Requirement(text.strip(), known, limit, match["op"], float(match["bound"]), scope, where)


def missed(requirements: Sequence[Requirement], rows: Sequence[Row]) -> list[Problem]:
    """One problem for each figure that misses a requirement, or for a requirement that meets no figure.

    All items, pooled or as grouped by request; judges, and metrics only where the scope names them.
    """
    return [problem for requirement in requirements for problem in _missed(requirement, rows)]


def _missed(requirement: Requirement, rows: Sequence[Row]) -> Iterator[Problem]:
    chosen = [row for row in rows if _applies(requirement, row)]
    groupings = [row.grouping for row in chosen]
    first = groupings[0] if groupings else ""
    chosen = [row for row in chosen if row.grouping == first]
    if not chosen:
        where = f" where {requirement.slice}" if requirement.slice else ""
        yield Problem(f"{requirement.text}: no figure of a judge{where} is meant by this")
    for row in chosen:
        value = _value(requirement, row)
        name = f"{row.scorer} on {row.criterion}" + (f" where {row.slice}" if row.slice else "")
        if value is None:
            why = row.estimate.undefined or "it has no interval"
            yield Problem(f"{requirement.text}: undefined for {name} ({why})")
        elif not _OPERATORS[requirement.op](value, requirement.bound):
            which = {"low": "lower limit of ", "high": "upper limit of "}.get(requirement.limit, "")
            yield Problem(f"{requirement.text}: {which}{row.statistic} is {value:.3f} for {name}")


def _applies(requirement: Requirement, row: Row) -> bool:
    if row.statistic != requirement.statistic or not _in_slice(requirement, row):
        return False
    if not requirement.scope:
        return row.kind is Kind.JUDGE
    scopes = (row.scorer.casefold(), row.criterion.casefold(), f"{row.scorer}:{row.criterion}".casefold())
    meant = requirement.scope.casefold()
    if meant == row.criterion.casefold():
        return row.kind is Kind.JUDGE
    return meant in scopes


def _in_slice(requirement: Requirement, row: Row) -> bool:
    if requirement.slice.endswith("=*"):
        return row.slice.startswith(requirement.slice[:-1])
    return row.slice == requirement.slice


def _value(requirement: Requirement, row: Row) -> float | None:
    estimate = row.estimate
    match requirement.limit:
        case "low":
            return estimate.low
        case "high":
            return estimate.high
        case _:
            return estimate.value
