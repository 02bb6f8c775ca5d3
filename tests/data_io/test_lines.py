from hypothesis import given
from hypothesis import strategies as st

from evalharness.data.lines import Line, numbered_lines

PIECES = st.lists(st.binary(max_size=12).map(lambda data: data.replace(b"\xef", b"\n")), max_size=12)


@given(PIECES)
def test_lines_do_not_depend_on_the_chunks(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    expected = whole.split(b"\n")
    if not expected[-1]:
        expected.pop()
    lines = list(numbered_lines(chunks, 1000, keep_returns=True))
    assert [line.data for line in lines] == expected
    assert [line.number for line in lines] == list(range(1, len(expected) + 1))


@given(PIECES, st.integers(1, 20))
def test_a_long_line_is_reported_with_its_length(chunks: list[bytes], limit: int) -> None:
    whole = list(numbered_lines([b"".join(chunks)], 1000, keep_returns=True))
    limited = list(numbered_lines(chunks, limit, keep_returns=True))
    assert [line.number for line in limited] == [line.number for line in whole]
    for long, line in zip(whole, limited, strict=True):
        assert line.length == (len(long.data) if len(long.data) > limit else None)
        assert long.data.startswith(line.data)


def test_marks_and_returns_are_taken_off() -> None:
    bom = b"\xef\xbb\xbf"
    assert list(numbered_lines([bom + b"a\r\n" + bom + b"b\n\nc"], 100)) == [
        Line(1, b"a"),
        Line(2, b"b"),
        Line(3, b""),
        Line(4, b"c"),
    ]


def test_only_line_feeds_end_a_line() -> None:
    text = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\rh".encode()
    assert [line.data for line in numbered_lines([text], 100)] == [text]


def test_a_line_without_end_is_held_to_the_limit() -> None:
    (line,) = numbered_lines((b"x" * 100_000 for _ in range(100)), 1_000_000)
    assert line.length == 10_000_000
    assert len(line.data) == 64 << 10
