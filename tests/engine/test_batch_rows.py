"""Rows of results find their requests, whatever order, number and state they come in."""

from __future__ import annotations

import io
import json
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from evalharness.engine.batch_rows import Reconciler, custom_id, lines_of
from evalharness.llm.batches import Row
from evalharness.llm.bodies import MalformedBody

MARKER = "eh-0011223344556677"
PLACES = range(6)


def _read(line: bytes) -> Row:
    try:
        name, status = json.loads(line)
    except ValueError:
        raise MalformedBody("no row") from None
    return Row(name, status)


def _line(name: str, status: int = 200) -> bytes:
    return json.dumps([name, status]).encode()


ROWS = st.lists(
    st.tuples(st.sampled_from([*(custom_id(MARKER, place) for place in PLACES), "x", "eh-1-0", ""]), st.sampled_from([200, 500]))
    | st.none(),
    max_size=20,
)  # fmt: skip


@given(ROWS)
def test_every_line_and_every_request_is_accounted_once(rows: list[tuple[str, int] | None]):
    rec = Reconciler(MARKER, PLACES, _read)
    lines = [b"{" if row is None else _line(*row) for row in rows]
    taken = list(rec.take(iter(lines)))
    known = [row for row in rows if row is not None and row[0].startswith(MARKER)]
    assert rec.unreadable == rows.count(None)
    assert rec.unknown == len(rows) - rows.count(None) - len(known)
    assert rec.duplicates == len(known) - len({name for name, _ in known})
    assert set(rec.missing) | set(rec.good) == set(PLACES)
    assert not set(rec.missing) & set(rec.good)
    for place in PLACES:
        statuses = [status for name, status in known if name == custom_id(MARKER, place)]
        last = [row.status for at, row in taken if at == place][-1:]
        assert last == ([200] if 200 in statuses else statuses[:1])
    assert max(Counter(place for place, _ in taken).values(), default=0) <= 2


def test_ids_that_only_look_like_ours_are_foreign():
    rec = Reconciler(MARKER, PLACES, _read)
    names = ["6", "-1", "+1", " 1", "01", "1_0", "\u0661", "", "1" * 30]
    assert list(rec.take(_line(f"{MARKER}-{name}") for name in names)) == []
    assert rec.unknown == len(names)


def test_lines_that_are_too_long_or_blank():
    file = io.BytesIO(b"one\n\n  \n" + b"x" * 100 + b"\ntwo\n" + b"y" * 10 + b"\n" + b"z" * 9 + b"\nend")
    assert list(lines_of(file, 10)) == [b"one\n", None, b"two\n", None, b"z" * 9 + b"\n", b"end"]


def test_what_was_odd_is_told():
    rec = Reconciler(MARKER, PLACES, _read)
    list(rec.take(iter([_line(custom_id(MARKER, 0)), _line(custom_id(MARKER, 0)), b"{", None, _line("x")])))
    assert rec.told() == "5 without a row, 1 doubled, 1 of no request of ours, 2 unreadable"
