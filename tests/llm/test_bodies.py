from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.llm.bodies import (
    MalformedBody,
    as_object,
    clean_text,
    count_in,
    list_in,
    load_object,
    logprob_in,
    object_in,
    text_in,
)
from tests.faultd import MALFORMED

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)

NOT_OBJECTS = ["html", "empty", "blank", "null", "list", "string", "number", "bad_utf8", "bad_json", "deep"]
NOT_STRICT = ["deep_object", "nan", "infinity", "duplicate_keys", "huge_integer"]


@pytest.mark.parametrize("name", NOT_OBJECTS + NOT_STRICT)
def test_bodies_that_are_no_object_are_refused(name: str) -> None:
    with pytest.raises(MalformedBody):
        load_object(MALFORMED[name])


@given(st.dictionaries(st.text(), json_values))
def test_objects_come_back(value: dict[str, object]) -> None:
    assert load_object(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise_anything_else(raw: bytes) -> None:
    try:
        assert isinstance(load_object(raw), dict)
    except MalformedBody as error:
        assert str(error)


def test_a_byte_order_mark_is_no_harm() -> None:
    assert load_object(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


def test_lone_surrogates_are_replaced_and_pairs_kept() -> None:
    value = load_object(rb'{"bad": "a\ud800b", "good": "\ud83d\ude00"}')
    assert text_in(value, "bad") == "a\ufffdb"
    assert text_in(value, "good") == "😀"
    assert clean_text("\udfff") == "\ufffd"


@pytest.mark.parametrize("value", [True, -1, 1.5, "3", [], {}, 10**13, float("1e400")])
def test_counts_are_counts(value: object) -> None:
    with pytest.raises(MalformedBody):
        count_in({"n": value}, "n")


def test_absent_and_null_are_empty() -> None:
    for mapping in ({}, {"x": None}):
        assert text_in(mapping, "x") == ""
        assert list_in(mapping, "x") == []
        assert object_in(mapping, "x") == {}
        assert count_in(mapping, "x") == 0
        assert logprob_in(mapping, "x") == -9999.0


@pytest.mark.parametrize("value", [True, "x", 0.5, float("inf"), float("nan")])
def test_logprobs_are_logprobs(value: object) -> None:
    with pytest.raises(MalformedBody):
        logprob_in({"p": value}, "p")


def test_rounding_above_zero_is_forgiven() -> None:
    assert logprob_in({"p": 1e-7}, "p") == 0.0


@pytest.mark.parametrize(
    ("read", "value", "says"),
    [
        (text_in, 5, "x is a number instead of a string"),
        (list_in, {}, "x is an object instead of an array"),
        (object_in, [], "x is an array instead of an object"),
        (count_in, None, None),
    ],
)
def test_refusals_say_what_was_found(read: object, value: object, says: str | None) -> None:
    if says is None:
        assert read({"x": value}, "x") == 0  # type: ignore[operator]
        return
    with pytest.raises(MalformedBody, match=says):
        read({"x": value}, "x")  # type: ignore[operator]
    with pytest.raises(MalformedBody, match="x is a string instead of an object"):
        as_object("s", "x")
