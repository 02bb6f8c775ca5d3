import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.data.arrays import array_elements
from evalharness.errors import InputError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(['"', "\\", "],[", '\\"', "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def chunked(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@given(st.lists(JSON, max_size=6), st.integers(1, 9), st.booleans(), st.sampled_from([None, 1]))
def test_elements_do_not_depend_on_the_chunks(
    values: list, size: int, ascii_only: bool, indent: int | None
) -> None:
    data = json.dumps(values, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    lines = list(array_elements(chunked(data, size), "f", 10_000))
    assert [json.loads(line.data.decode("utf-8", "surrogatepass")) for line in lines] == values
    assert [line.number for line in lines] == list(range(1, len(values) + 1))


@given(st.lists(st.text(max_size=40), min_size=1, max_size=5), st.integers(1, 50), st.integers(4, 30))
def test_an_element_over_the_limit_does_not_lose_the_others(texts: list[str], size: int, limit: int) -> None:
    data = json.dumps(texts).encode()
    lines = list(array_elements(chunked(data, size), "f", limit))
    assert len(lines) == len(texts)
    for text, line in zip(texts, lines, strict=True):
        written = json.dumps(text).encode()
        if line.length is None:
            assert line.data == written
        else:
            assert line.length > limit
            assert len(written) + 1 >= limit


def test_one_bad_element_does_not_lose_the_others() -> None:
    lines = list(array_elements([b'[{"a": NaN}, oops, {"b": 2}]'], "f", 100))
    assert [line.data for line in lines] == [b'{"a": NaN}', b"oops", b'{"b": 2}']


@pytest.mark.parametrize("data", [b"[]", b" [ ] \n", b"\xef\xbb\xbf[\n]"])
def test_an_empty_array_has_no_elements(data: bytes) -> None:
    assert list(array_elements([data], "f", 100)) == []


def test_a_trailing_comma_leaves_an_element_that_is_no_json() -> None:
    assert [line.data for line in array_elements([b"[1,]"], "f", 100)] == [b"1", b""]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'[{"a": 1}, {"b"', "not closed"),
        (b'[{"a": 1}', "not closed"),
        (b'["a', "not closed"),
        (b"[1] 2", "behind the end"),
        (b"[1][2]", "behind the end"),
        (b"x [1]", "before the JSON array"),
    ],
)
def test_what_is_no_single_array_is_a_fault(data: bytes, words: str) -> None:
    for size in (1, 3, 100):
        with pytest.raises(InputError, match=words):
            list(array_elements(chunked(data, size), "f", 100))


def test_a_string_without_end_is_held_to_the_limit() -> None:
    chunks = [b'[1, "', *[b"x\\n" * 30_000] * 40, b'", 2]']
    first, long, last = array_elements(chunks, "f", 100_000)
    assert (first.data, last.data) == (b"1", b"2")
    assert long.length is not None
    assert long.length > 3_000_000
    assert len(long.data) == 64 << 10
