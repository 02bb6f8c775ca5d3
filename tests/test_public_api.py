"""The Python API: what is public is pinned, typed, and does what the command line does."""

from __future__ import annotations

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import evalharness

PUBLIC = {
    "Analysis", "Cause", "ColumnSummary", "Criterion", "Dialogue", "Document", "EvalHarnessError", "Failure", "Item",
    "Message", "ReadOptions", "Rubric", "Run", "Score", "Skip", "SkipReason", "Tally", "Tool", "ToolCall",
    "assert_quality", "load_rubric", "open_run", "parse_rubric", "read_dialogues", "score",
}  # fmt: skip

DATA = Path(__file__).parents[1] / "datasets" / "small.jsonl"


def test_what_is_public_is_pinned():
    assert set(evalharness.__all__) == PUBLIC
    assert {name for name in PUBLIC if hasattr(evalharness, name)} == PUBLIC
    with pytest.raises(AttributeError, match="no attribute 'scores'"):
        evalharness.scores  # noqa: B018


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_everything_public_is_documented_and_annotated(name: str):
    thing = getattr(evalharness, name)
    assert inspect.getdoc(thing)
    if inspect.isfunction(thing):
        signature = inspect.signature(thing)
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(p.annotation is not inspect.Parameter.empty for p in signature.parameters.values())


def test_scoring_and_reading_a_run(tmp_path: Path):
    result = evalharness.score(DATA, metrics=["bleu"], out=tmp_path / "r")
    assert result.complete
    run = evalharness.open_run(tmp_path / "r")
    assert run.analysis == result.analysis
    values = run.values("bleu")
    assert len(values) == result.analysis.columns[0].tally.scored == 6
    assert len(list(run.dialogues())) == 6
    assert {item.system for item in run.items()} == {"v1", "v2-degraded"}


def test_it_works_where_an_event_loop_is_running(tmp_path: Path):
    rubric = tmp_path / "r.yaml"
    rubric.write_text(
        "rubric: r\nversion: 1\nunit: turn\nabout: x\ncriteria:\n  good:\n    question: Good?\n    scale: binary\n    good: yes\n"
    )
    replay = tmp_path / "a.jsonl"
    first = next(iter(evalharness.read_dialogues([str(DATA)])))
    turn = first.dialogue.assistant_turns()[0]
    replay.write_text(
        f'{{"dialogue": "{first.dialogue.id}", "turn": {turn}, "criterion": "good", "outputs": ["yes"]}}\n'
    )

    async def in_a_notebook() -> evalharness.Analysis:
        done = evalharness.score(DATA, judges=[f"replay:{replay}"], rubrics=[str(rubric)], out=tmp_path / "r")
        return done.analysis

    with ThreadPoolExecutor(1) as thread:  # browser tests may keep a loop running in the main thread
        analysis = thread.submit(asyncio.run, in_a_notebook()).result()
    assert analysis.columns[0].tally.scored == 1


def test_a_user_error_is_an_exception_with_its_exit_code(tmp_path: Path):
    with pytest.raises(evalharness.EvalHarnessError, match="there is no metric") as caught:
        evalharness.score(DATA, metrics=["blue"], out=tmp_path / "r")
    assert caught.value.exit_code == 2
