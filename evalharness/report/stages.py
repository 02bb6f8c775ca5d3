"""Who judged in a cascade, in words: for the terminal and the page."""

from __future__ import annotations

from evalharness.analysis.types import ColumnSummary
from evalharness.core.text import one_line


def stages_words(summary: ColumnSummary) -> str:
    """``cheap 80, dear 40 (20 passed on near a pass threshold)``; empty where no cascade judged."""
    counts = ", ".join(f"{one_line(name, 30)} {count:,}" for name, count in summary.stages)
    return f"{counts} ({summary.near:,} passed on near a pass threshold)" if summary.near else counts
