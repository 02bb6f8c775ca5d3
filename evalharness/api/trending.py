"""`trend`: quality over many runs; trend.json and trend.html."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalharness.api.snapshots import load_snapshot
from evalharness.data.anchor_facts import read_anchor_facts
from evalharness.data.files import write_text
from evalharness.errors import UsageError
from evalharness.gate.history import History, history
from evalharness.report.trend import trend_json, trend_page


@dataclass(frozen=True, slots=True)
class TrendResult:
    """The trend, and the files that hold it."""

    history: History
    written: tuple[Path, ...]


def trend_of(runs: Sequence[Path], out: Path) -> TrendResult:
    """The trend of run folders and baseline files, in the order in which they are named."""
    if len(runs) < 2:
        raise UsageError("a trend needs two runs or more", fix="Name them oldest first.")
    anchors = [read_anchor_facts(run) if run.is_dir() else None for run in runs]
    found = history([load_snapshot(run) for run in runs], anchors)
    files = {out / "trend.json": trend_json(found), out / "trend.html": trend_page(found)}
    out.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        write_text(path, text)
    return TrendResult(found, tuple(files))
