"""Drift: the same dialogues judged by the same judge at an earlier time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from evalharness.api.audit_material import ORIGINAL
from evalharness.api.folder import RunFolder, open_run
from evalharness.audit.findings import measure_of
from evalharness.audit.types import Measure
from evalharness.audit.values import number_of
from evalharness.core.native import to_json
from evalharness.core.scores import Column, Result
from evalharness.errors import UsageError
from evalharness.stats.clustered import mean_interval
from evalharness.stats.estimate import undefined


def earlier_originals(since: Path) -> Path:
    """The run over the originals of an earlier audit; :class:`UsageError` where the folder holds none."""
    path = since / ORIGINAL
    if not RunFolder(path).ledger.exists():
        raise UsageError(
            f"{since} holds no audit of single replies", fix="Name the folder of an earlier audit."
        )
    return path


def drift_since(since: Path, run: Path, margin: float) -> Iterator[Measure]:
    """The shift of each criterion since an earlier audit, on the dialogues that are the same in both."""
    old_columns, old = _results(earlier_originals(since))
    columns, new = _results(run)
    places = {column.criterion: place for place, column in enumerate(old_columns)}
    for place, column in enumerate(columns):
        if not column.nominal and column.criterion in places:
            earlier = places[column.criterion]
            rows = [
                (cluster, number_of(old[key][1][earlier]), number_of(results[place]))
                for key, (cluster, results) in new.items()
                if key in old
            ]
            same = old_columns[earlier].signature == column.signature
            yield _drift(column, rows, margin, same=same)


def _drift(
    column: Column, rows: Sequence[tuple[str, float | None, float | None]], margin: float, *, same: bool
) -> Measure:
    known = [(cluster, b - a) for cluster, a, b in rows if a is not None and b is not None]
    sign = -1.0 if column.higher_is_better is False else 1.0
    if known:
        estimate = mean_interval([sign * shift for _, shift in known], [cluster for cluster, _ in known])
    else:
        estimate = undefined("the earlier audit judged none of these dialogues, or they have changed")
    span = 1.0 if column.low is None or column.high is None else column.high - column.low
    changed = "" if same else " (judge, prompt or rubric were changed meanwhile)"
    return measure_of(
        "drift",
        column.criterion,
        estimate,
        margin=margin * span,
        unit="points",
        up=f"scores higher than it did{changed}",
        down=f"scores lower than it did{changed}",
    )


_Rows = dict[tuple[str, str], tuple[str, Sequence[Result]]]


def _results(folder: Path) -> tuple[Sequence[Column], _Rows]:
    """Columns, and cluster and results by id and content of the dialogue."""
    with open_run(folder) as (_, ledger):
        numbers = ledger.scorers()
        stored = {d.id: d for d in (row.load() for row in ledger.sorted_dialogues())}
        rows: _Rows = {
            (row.dialogue, repr(to_json(stored[row.dialogue]))): (row.cluster, row.results)
            for row in ledger.outcomes()
        }
        return (next(iter(numbers.values())) if numbers else ()), rows
