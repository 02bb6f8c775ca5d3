"""Recorded outputs of gpt-3.5-turbo on Topical-Chat, from raw text to the published correlations."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from evalharness.core.dialogue import Item
from evalharness.core.rubric import Rubric
from evalharness.core.scores import Cause, Score
from evalharness.data.dialogues import read_dialogues
from evalharness.judges.spec import make_judge
from tests.judges.fakes import FakeAsk, binary, numeric, ordinal, rubric
from tests.recorded import CRITERIA, STYLES, USR_FILE, recorded_rows, write_replay
from tests.research import research_file

PUBLISHED_R = {
    "geval": (0.393, 0.468, 0.549, 0.311),
    "geval_no_auto_cot": (0.408, 0.443, 0.557, 0.358),
    "llm_eval_no_cot": (0.464, 0.524, 0.611, 0.563),
    "analyze_rate": (0.524, 0.477, 0.567, 0.580),
    "rate_explain": (0.569, 0.504, 0.564, 0.561),
}
PUBLISHED_TAU = {
    "geval": (0.358, 0.391, 0.513, 0.566),
    "geval_no_auto_cot": (0.331, 0.404, 0.535, 0.582),
    "llm_eval_no_cot": (0.476, 0.426, 0.557, 0.666),
    "rate_explain": (0.512, 0.425, 0.509, 0.663),
}
GROUPED_R = {"analyze_rate": (0.573, 0.486, 0.628, 0.725)}

NUMBERS = rubric(*(numeric(name, 0.0, 9.0) for name in CRITERIA))
STRICT = rubric(*(ordinal(name, 3) for name in CRITERIA[:3]), binary("groundedness"))
DOCS = Path(__file__).parents[2] / "docs" / "judges.md"


@cache
def items() -> tuple[Item, ...]:
    reads = read_dialogues([str(research_file(USR_FILE))])
    return tuple(Item(read.dialogue, read.dialogue.assistant_turns()[0]) for read in reads)


def replayed(style: str, asked: Rubric, folder: Path, *, numbers: bool) -> dict[tuple[str, str], Any]:
    """The result for every reply and criterion, by dialogue id and criterion."""
    path = write_replay(style, folder / f"{style}-{numbers}.jsonl", numbers=numbers)
    judge = make_judge(f"replay:{path}", asked)

    async def run() -> dict[tuple[str, str], Any]:
        found = {}
        for item in items():
            results = await judge.judge(item, FakeAsk())
            found.update({(item.dialogue.id, name): r for name, r in zip(CRITERIA, results, strict=False)})
        return found

    return asyncio.run(run())


def against_humans(
    style: str, results: dict[tuple[str, str], Any], criterion: str
) -> tuple[float, float, float]:
    """Global Pearson, mean Kendall tau-b and mean Pearson within contexts; contexts without spread left out."""
    rows = [row for row in recorded_rows(style) if row.criterion == criterion]
    scored = [row for row in rows if isinstance(results[row.dialogue, criterion], Score)]
    values = np.array([results[row.dialogue, criterion].value for row in scored])
    humans = np.array([row.human for row in scored])
    groups = np.array([row.group for row in scored])
    taus, grouped = [], []
    for group in dict.fromkeys(groups):
        mine, theirs = values[groups == group], humans[groups == group]
        if len(set(mine)) > 1 and len(set(theirs)) > 1:
            taus.append(stats.kendalltau(mine, theirs)[0])
            grouped.append(stats.pearsonr(mine, theirs)[0])
    return float(stats.pearsonr(values, humans)[0]), float(np.mean(taus)), float(np.mean(grouped))


@pytest.mark.parametrize("style", STYLES)
def test_numbers_by_the_published_rule_give_the_published_table(style, tmp_path):
    """To three digits; one cell of the 36 (rate_explain, coherence, r) is printed .504 and comes out as .50454."""
    results = replayed(style, NUMBERS, tmp_path, numbers=True)
    found = [against_humans(style, results, criterion) for criterion in CRITERIA]
    for column, table in enumerate((PUBLISHED_R, PUBLISHED_TAU, GROUPED_R)):
        if style in table:
            assert [row[column] for row in found] == pytest.approx(table[style], abs=0.00056)
    if style == "analyze_rate":
        assert found[0][1] == pytest.approx(0.470, abs=0.0005)


def outcome_counts(style: str, folder: Path) -> Counter[str]:
    """Single outputs by what the reader makes of them on the scales that were asked for (1–3, groundedness 0–1)."""
    counts: Counter[str] = Counter()
    for result in replayed(style, STRICT, folder, numbers=False).values():
        samples = result.samples or ([result.cause] * (20 if result.cause is not Cause.NOT_RECORDED else 0))
        counts.update(sample.value if isinstance(sample, Cause) else "read" for sample in samples)
    return counts


def documented_counts() -> dict[str, dict[str, int]]:
    table = DOCS.read_text(encoding="utf-8").split("<!-- outcomes -->")[1]
    header, _, *rows = [line for line in table.splitlines() if line.startswith("|")]
    names = [cell.strip().strip("`") for cell in header.strip("|").split("|")][1:]
    found = {}
    for row in rows:
        style, *cells = [cell.strip().strip("`").replace(",", "") for cell in row.strip("|").split("|")]
        found[style] = {name: int(cell) for name, cell in zip(names, cells, strict=True)}
    return found


@pytest.mark.parametrize("style", STYLES)
def test_raw_texts_by_outcome_are_as_documented(style, tmp_path):
    counts = outcome_counts(style, tmp_path)
    assert sum(counts.values()) == 20 * len(recorded_rows(style))
    documented = documented_counts()[style]
    assert {name: counts.get(name, 0) for name in documented} == documented
    assert sum(documented.values()) == sum(counts.values())


def test_where_reader_and_rule_both_give_a_whole_level_they_all_but_agree(tmp_path):
    """Where they differ the rule has taken a list number, a year or a digit of a quoted fact for the rating."""
    from evalharness.judges.answers import Verdict
    from evalharness.judges.verdict import read_answers
    from tests.recorded import published_number

    same = other = 0
    for style in STYLES:
        for row in recorded_rows(style):
            criterion = STRICT.criterion(row.criterion)
            for text in row.outputs:
                answer = read_answers(text, [criterion])[row.criterion]
                if isinstance(answer, Verdict) and not re.search(r"\d\.\d", text):
                    same += answer.value == published_number(text)
                    other += answer.value != published_number(text)
    assert same > 140_000 and other < 100
