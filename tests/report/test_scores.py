"""Lines of scores.jsonl and scores.csv: put together from parts, they say what the data contract says."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.dialogue import Unit
from evalharness.core.scores import Cause, Column, Evidence, Failure, Result, Score, Skip, SkipReason
from evalharness.data.ledger.store import OutcomeRow
from evalharness.report.safe import csv_cell
from evalharness.report.scores import OutcomeTables, outcome_json, outcome_lines, result_facts

texts = st.text(max_size=12) | st.sampled_from(
    ["=1+1", " =x", "  ", "\t@", "－5", "a,b", 'say "hi"', "1\n2", "é\u202e"]
)
scores = st.builds(
    Score,
    value=st.floats(allow_nan=False, allow_infinity=False) | texts,
    probabilities=st.none() | st.dictionaries(texts, st.floats(0, 1), max_size=2),
    samples=st.lists(st.floats(0, 5) | st.sampled_from(Cause), max_size=2).map(tuple),
    rationale=st.none() | texts,
    evidence=st.lists(
        st.builds(Evidence, st.none() | st.integers(0, 9), texts, st.booleans()), max_size=2
    ).map(tuple),
    extra=st.none() | st.dictionaries(st.sampled_from(["windows", "repairs"]), st.integers(1, 3), max_size=2),
)
failures = st.builds(Failure, st.sampled_from(Cause), texts, st.none() | texts)
skips = st.builds(Skip, st.sampled_from(SkipReason), texts)
results: st.SearchStrategy[Result] = scores | failures | skips
columns = st.builds(
    Column, scorer=texts, criterion=texts, unit=st.just(Unit.TURN), signature=texts, rubric=texts
)


@st.composite
def outcomes(draw: st.DrawFn) -> tuple[OutcomeRow, tuple[Column, ...]]:
    of_scorer = tuple(draw(st.lists(columns, min_size=1, max_size=3)))
    found = tuple(draw(results) for _ in of_scorer)
    turn = draw(st.none() | st.integers(0, 9))
    row = OutcomeRow(draw(texts), draw(texts), draw(texts), turn, 7, found, 1)
    return row, of_scorer


@given(outcomes())
def test_a_json_line_is_the_outcome_written_whole(drawn: tuple[OutcomeRow, tuple[Column, ...]]):
    row, of_scorer = drawn
    lines = list(outcome_lines([row], {7: of_scorer}))
    wanted = [
        outcome_json(row, column, result) for column, result in zip(of_scorer, row.results, strict=True)
    ]
    assert lines == [json.dumps(outcome) + "\n" for outcome in wanted]


@given(outcomes())
def test_both_tables_of_a_row_are_those_of_each(drawn: tuple[OutcomeRow, tuple[Column, ...]]):
    row, of_scorer = drawn
    tables = OutcomeTables({7: of_scorer})
    as_json, as_csv = tables.both(row)
    assert as_json == "".join(outcome_lines([row], {7: of_scorer}))
    read = list(csv.DictReader(io.StringIO(tables.csv_head() + as_csv, newline="")))
    assert [cells["signature"] for cells in read] == [csv_cell(column.signature) for column in of_scorer]
    assert [cells["dialogue"] for cells in read] == [csv_cell(row.dialogue)] * len(of_scorer)


@given(outcomes())
def test_the_table_is_what_the_csv_module_writes(drawn: tuple[OutcomeRow, tuple[Column, ...]]):
    row, of_scorer = drawn
    tables = OutcomeTables({7: of_scorer})
    text = tables.csv_head() + "".join(tables.csv_lines(row, map(result_facts, row.results)))
    again = io.StringIO(newline="")
    csv.writer(again, lineterminator="\r\n").writerows(csv.reader(io.StringIO(text, newline="")))
    assert text == again.getvalue()


@given(st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=8))
def test_plain_cells_are_judged_as_all_others(text: str):
    """The short way for plain text agrees with the long one, which a character beyond ASCII at the end takes."""
    assert csv_cell(text) == csv_cell(text + "é")[:-1]
