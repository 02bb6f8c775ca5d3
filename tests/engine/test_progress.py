"""What a watcher is told of items without a value, and how the plain progress line words it."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console
from rich.progress import Progress

from evalharness.cli.progress import PlainProgress, columns_for
from evalharness.core.scores import Cause, Failure, Score
from evalharness.engine.progress import TIED, causes

DIFFER = Failure(Cause.TWO_VERDICTS, "no answer has a majority among the samples", samples=("a", "b"))


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ([DIFFER], [TIED]),
        ([Failure(Cause.TWO_VERDICTS, "the reply gives more than one verdict")], ["two_verdicts"]),
        ([Failure(Cause.TWO_VERDICTS, samples=("a", "b", Cause.EMPTY))], ["two_verdicts"]),
        ([Failure(Cause.EMPTY, samples=(Cause.EMPTY,)), DIFFER], ["empty"]),
        ([Score("a"), DIFFER], [TIED]),
    ],
)
def test_readable_answers_that_differ_are_no_fault(results: list[Failure | Score], told: list[str]) -> None:
    assert causes(results) == told


def test_the_line_keeps_undecided_items_apart_from_failed_ones(capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress()
    progress.start("judge j", 4, 0)
    progress.advance("judge j", 2, causes([DIFFER]) * 2)
    progress.finish()
    assert capsys.readouterr().err.rstrip().endswith("undecided 2 (answers tied)")
    progress.advance("judge j", 1, ["timeout"])
    progress.finish()
    assert capsys.readouterr().err.rstrip().endswith("failed 1 (timeout 1)  undecided 2 (answers tied)")


def test_a_narrow_terminal_keeps_words_and_figures_whole() -> None:
    console = Console(file=StringIO(), width=40, force_terminal=False)
    bars = Progress(*columns_for(40), console=console, expand=True)
    bars.add_task(
        "a-judge on support", total=1000, completed=40, rate="7.2/s", facts="2/4 in flight  failed 12"
    )
    console.print(bars.get_renderable())
    shown = console.file.getvalue().split()  # type: ignore[attr-defined]
    assert [word for word in shown if ":" not in word] == (
        "a-judge on support 40/1000 7.2/s 2/4 in flight failed 12".split()
    )
