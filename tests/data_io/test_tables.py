import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.data.lines import numbered_lines
from evalharness.data.reading import Record, Rejected
from evalharness.data.tables import parquet_records, separated_records
from evalharness.errors import InputError, MissingDependencyError

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def rows(data: bytes, separator: str | None = None) -> list[Record | Rejected]:
    return list(
        separated_records(numbered_lines([data], 1 << 20, keep_returns=True), "f", separator, 1 << 20)
    )


def fault(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        rows(data)
    return str(caught.value)


CELL = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6), st.sampled_from([",", "\t"]))
def test_what_csv_writes_is_read_back(cells: list[tuple[str, str]], separator: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *cells])
    found = rows(out.getvalue().encode(), separator)
    assert [tuple(row.value.values()) for row in found if isinstance(row, Record)] == cells


def test_a_row_has_the_number_of_the_line_on_which_it_begins() -> None:
    found = rows(b'a,b\n1,2\n\n"x\ny",3\n4,5\n')
    assert [row.line for row in found if isinstance(row, Record)] == [2, 4, 6]


def test_semicolons_are_recognised_and_blank_lines_skipped() -> None:
    found = rows("\ufeffid;role\r\n\r\n1;user\r\n".encode())
    assert [row.value for row in found if isinstance(row, Record)] == [{"id": "1", "role": "user"}]


def test_a_row_of_another_length_is_rejected() -> None:
    first, second, third = rows(b"a,b\n1\n1,2,3\n1,2\n")
    assert isinstance(first, Rejected)
    assert isinstance(second, Rejected)
    assert isinstance(third, Record)
    assert first.problem.message == "the row has 1 cells, the header 2"
    assert (first.problem.line, second.problem.line, third.line) == (2, 3, 4)


def test_a_row_that_is_not_utf8_does_not_lose_the_others() -> None:
    bad, good = rows(b"a,b\n\xe9,1\n\xc3\xa9,2\n")
    assert isinstance(bad, Rejected)
    assert isinstance(good, Record)
    assert good.value == {"a": "é", "b": "2"}


def test_the_header_is_checked() -> None:
    assert "names a column twice: 'a'" in fault(b"a,b,a\n")
    assert "column 2 of the header has no name" in fault(b"a,,b\n")
    assert rows(b"") == rows(b"\n") == []


def test_a_quote_that_never_ends_is_a_fault() -> None:
    assert "f:2: the row is not valid CSV" in fault(b'a,b\n"x,1\ny,2\n')


def test_a_line_over_the_limit_is_a_fault() -> None:
    lines = numbered_lines([b"a,b\n" + b"x" * 5000 + b",1\n"], 1000, keep_returns=True)
    with pytest.raises(InputError, match="--max-line-bytes"):
        list(separated_records(lines, "f", None, 1000))


def table(path: Path, columns: dict) -> str:
    parquet.write_table(pyarrow.table(columns), path, row_group_size=2)
    return str(path)


def test_parquet_rows_come_in_order_without_nulls(tmp_path: Path) -> None:
    columns = {"id": list(range(2500)), "x": ["a", None] * 1250}
    found = list(parquet_records(table(tmp_path / "a.parquet", columns)))
    assert len(found) == 2500
    assert isinstance(found[0], Record)
    assert isinstance(found[2499], Record)
    assert (found[0].value, found[2499].value) == ({"id": 0, "x": "a"}, {"id": 2499})
    assert found[2499].line == 2500


def test_parquet_values_become_json(tmp_path: Path) -> None:
    import datetime
    import decimal

    columns = {
        "when": [datetime.datetime(2026, 1, 2, 3, 4, 5)],
        "cost": [decimal.Decimal("1.50")],
        "nested": [[{"role": "user", "content": "x", "name": None}]],
    }
    (row,) = parquet_records(table(tmp_path / "a.parquet", columns))
    assert isinstance(row, Record)
    assert row.value == {
        "when": "2026-01-02T03:04:05",
        "cost": "1.50",
        "nested": [{"role": "user", "content": "x"}],
    }


def test_what_has_no_json_value_is_rejected(tmp_path: Path) -> None:
    columns = {"a": [1.0, float("nan"), float("inf")], "b": [None, None, None]}
    good, *bad = parquet_records(table(tmp_path / "a.parquet", columns))
    assert isinstance(good, Record)
    assert all(isinstance(row, Rejected) and "NaN" in row.problem.message for row in bad)
    (row,) = parquet_records(table(tmp_path / "b.parquet", {"a": [b"\xff"]}))
    assert isinstance(row, Rejected)
    assert row.problem.message == "a column holds bytes, not text"


def test_a_damaged_parquet_file_is_a_fault(tmp_path: Path) -> None:
    path = table(tmp_path / "a.parquet", {"a": [1, 2, 3]})
    Path(path).write_bytes(Path(path).read_bytes()[:-6])
    with pytest.raises(InputError, match="Parquet file can't be read"):
        list(parquet_records(path))


def test_without_pyarrow_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"evalharness\[parquet\]"):
        list(parquet_records("a.parquet"))
