"""Writes the measured tables of agreement.md and the names in statistics.md.

python docs/make_agreement.py TC_USR_DATA.json
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from evalharness.analysis.agreement.learning import Learned
from evalharness.analysis.agreement.sides import ALIASES, STATISTICS
from evalharness.api.fitting import FitJob, run_fit
from evalharness.api.scoring import ScoreJob, run_score
from evalharness.report.figures import interval

DOCS = Path(__file__).parent


def fit_table(source: str) -> str:
    """What `fit` reaches on the data set, a row per criterion."""
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        run_score(ScoreJob((source,), run, metrics=("surface",)))
        learned = run_fit(FitJob(run, (source,), Path(scratch) / "judge.json")).learned
    head = (
        "| criterion | by held-out context | by held-out system | length alone | after 60 labels |\n"
        "|---|---|---|---|---|"
    )
    return "\n".join([head, *(_row(row) for row in learned)])


def _row(row: Learned) -> str:
    sixty = next((f"{point.spearman:.2f}" for point in row.curve if point.labels == 60), "")
    figures = (row.by_group, row.by_system, row.length)
    return f"| {row.criterion} | {' | '.join(interval(figure) for figure in figures)} | {sixty} |"


def names_text() -> str:
    """The statistics that can be asked for."""
    return ", ".join(f"`{name}`" for name in STATISTICS) + "."


def aliases_text() -> str:
    """Their short forms."""
    return ", ".join(f"`{short}` for `{name}`" for short, name in ALIASES.items()) + "."


def replaced(text: str, mark: str, content: str) -> str:
    """The text with what stands between the marks replaced."""
    pattern = re.compile(rf"(<!-- {mark}:begin -->\n).*?(\n<!-- {mark}:end -->)", re.DOTALL)
    return pattern.sub(lambda match: match[1] + content + match[2], text)


def main(arguments: Sequence[str]) -> None:
    """Write both pages."""
    page = DOCS / "statistics.md"
    text = replaced(page.read_text(encoding="utf-8"), "names", names_text())
    page.write_text(replaced(text, "aliases", aliases_text()), encoding="utf-8")
    if arguments:
        page = DOCS / "agreement.md"
        page.write_text(
            replaced(page.read_text(encoding="utf-8"), "fit", fit_table(arguments[0])), encoding="utf-8"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
