"""Bodies encoded around what they have in common: always the bytes that a fresh encoder writes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.llm.body_text import BodyText

scalars = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, 0.0, -0.0, 1.0, True, False, "", "1"])
    | st.text(st.characters(exclude_categories=("Cs",)), max_size=4)
)
long = st.sampled_from(["é" * 300, "a" * 300, {"a": [1, "b" * 300]}, {"a": [True, "b" * 300]}])
values = st.recursive(
    scalars | long,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
bodies = st.lists(st.dictionaries(st.sampled_from(["model", "messages", "x1", "x"]), values, max_size=4))


def fresh(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


@given(bodies)
def test_bodies_read_as_a_fresh_encoder_writes_them(given_bodies: list[dict[str, object]]) -> None:
    text = BodyText()
    assert [text.encode(body) for body in given_bodies] == [fresh(body) for body in given_bodies]


@pytest.mark.parametrize(
    ("first", "second"), [(1, True), (1, 1.0), (0.0, -0.0), ({"a": 1, "b": 2}, {"b": 2, "a": 1})]
)
def test_equal_values_that_are_written_differently(first: object, second: object) -> None:
    text = BodyText()
    rest = "r" * 300
    for value in (first, second, first):
        body = {"schema": {"value": value, "rest": rest}, "list": [value, rest]}
        assert text.encode(body) == fresh(body)


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        BodyText().encode({"temperature": float("nan")})
