"""Writes the measured tables of agreement.md and the names in statistics.md.

python docs/make_agreement.py TC_USR_DATA.json

The table of stacked fits takes the recorded judge outputs of $EVALHARNESS_TEST_DATA, as the tests do.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evalharness.analysis.agreement.learning import Learned
from evalharness.analysis.agreement.names import ALIASES, STATISTICS
from evalharness.api.fitting import FitJob, run_fit
from evalharness.api.scoring import ScoreJob, run_score
from evalharness.report.figures import interval

DOCS = Path(__file__).parent


SURFACE = (
    "words",
    "chars",
    "distinct1",
    "distinct2",
    "repetition",
    "overlap_context",
    "overlap_user",
    "questions",
)
"""Surface measures that every reply of the data set has a value of."""

RUBRIC = """\
rubric: numbers
version: 1
unit: turn
about: Recorded numbers.
criteria:
  naturalness: {question: 'How natural?', scale: numeric, min: 0, max: 9}
  coherence: {question: 'How coherent?', scale: numeric, min: 0, max: 9}
  engagingness: {question: 'How engaging?', scale: numeric, min: 0, max: 9}
  groundedness: {question: 'How grounded?', scale: numeric, min: 0, max: 9}
"""
JUDGE = "llm_eval_no_cot"


def fit_table(source: str) -> str:
    """What `fit` reaches on the data set, a row per criterion: all features, and features chosen without what is held
    out among those and the surface measures."""
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch) / "run"
        run_score(ScoreJob((source,), run, metrics=("surface",)))
        job = FitJob(run, (source,), Path(scratch) / "judge.json")
        plain = run_fit(job).learned
        nested = run_fit(replace(job, stacked=SURFACE, select=True)).learned
    head = (
        "| criterion | by held-out context | by held-out system | nested, by context | nested, by system "
        "| length alone | after 60 labels |\n|---|---|---|---|---|---|---|"
    )
    return "\n".join([head, *map(_row, plain, nested)])


def _row(row: Learned, nested: Learned) -> str:
    sixty = next((f"{point.spearman:.2f}" for point in row.curve if point.labels == 60), "")
    figures = (row.by_group, row.by_system, nested.by_group, nested.by_system, row.length)
    return f"| {row.criterion} | {' | '.join(interval(figure) for figure in figures)} | {sixty} |"


def stack_table(source: str) -> str:
    """What the same fit reaches on top of a recorded judge, beside the best of the judge's own criteria."""
    sys.path.insert(0, str(DOCS.parent))
    from tests.recorded import write_replay

    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        rubric, recording = place / "numbers.yaml", place / "recorded.jsonl"
        rubric.write_text(RUBRIC, encoding="utf-8")
        judge = f"gpt-3.5=replay:{write_replay(JUDGE, recording, numbers=True)}"
        run_score(ScoreJob((source,), place / "run", judges=(judge,), rubrics=(str(rubric),)))
        job = FitJob(place / "run", (source,), place / "judge.json")
        plain = run_fit(job).learned
        stacked = run_fit(replace(job, stacked=("gpt-3.5",))).learned
    head = (
        "| criterion | best of the judge's four | fitted, by context | stacked, by context | fitted, by system "
        "| stacked, by system |\n|---|---|---|---|---|---|"
    )
    return "\n".join([head, *map(_stacked_row, plain, stacked)])


def _stacked_row(plain: Learned, stacked: Learned) -> str:
    name, best = max(stacked.alone, key=lambda pair: pair[1].value or 0.0)
    figures = (plain.by_group, stacked.by_group, plain.by_system, stacked.by_system)
    own = f"{interval(best)} ({name.partition(': ')[2]})"
    return f"| {plain.criterion} | {own} | {' | '.join(interval(figure) for figure in figures)} |"


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
        for mark, table in (("fit", fit_table), ("stack", stack_table)):
            text = replaced(page.read_text(encoding="utf-8"), mark, table(arguments[0]))
            page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
