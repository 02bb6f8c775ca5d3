import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.data import strictjson
from evalharness.data.strictjson import JsonError, NumberText, loads, loads_keeping_numbers, scrub

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_what_json_writes_is_read_back(value: object, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert loads(text) == value
    assert loads(text.encode("utf-8", "surrogatepass")) == value if ascii_only else True


def error(text: str | bytes) -> JsonError:
    with pytest.raises(JsonError) as caught:
        loads(text)
    return caught.value


@given(st.binary(max_size=60))
def test_any_bytes_give_a_value_or_a_json_error(data: bytes) -> None:
    try:
        value = loads(data)
    except JsonError as caught:
        assert caught.message
    else:
        json.dumps(value, allow_nan=False)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "-1e400", '{"a": [NaN]}'])
def test_numbers_are_finite(text: str) -> None:
    assert "finite" in error(text).message or "is not JSON" in error(text).message


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '[{"b":{"a":1,"c":2,"a":3}}]', '{"a":1,"\\u0061":2}'])
def test_a_key_stands_once(text: str) -> None:
    assert error(text).message == "the key 'a' stands twice in one object"


def test_a_long_repeated_key_is_cut_in_the_message() -> None:
    key = "k" * 100_000
    assert len(error(f'{{"{key}":1,"{key}":2}}').message) < 120


@pytest.mark.parametrize("digits", [20, 400, 4300])
def test_integers_are_exact(digits: int) -> None:
    assert loads("7" * digits) == int("7" * digits)
    assert error("7" * 4301).message == "a number has more than 4300 digits"


@pytest.mark.parametrize("pair", ["[]", '{"a":}'])
def test_nesting_is_capped_without_recursion(pair: str) -> None:
    opening, closing = pair[:-1], pair[-1]

    def nested(depth: int) -> str:
        return opening * depth + ("1" if closing == "}" else "") + closing * depth

    loads(nested(strictjson.MAX_DEPTH))
    assert error(nested(strictjson.MAX_DEPTH + 1)).message == "nested deeper than 100 levels"
    assert error(opening * 1_000_000).message == "nested deeper than 100 levels"


@given(st.lists(st.text(alphabet='[]{}"\\a', max_size=60), max_size=20))
def test_brackets_inside_texts_are_not_nesting(texts: list[str]) -> None:
    value = [*texts, "[" * 500, "\\" * 7, '"' + "{" * 300]
    assert loads(json.dumps(value)) == value


def test_a_wide_value_is_not_deep() -> None:
    value = [{"a": [[], {}]} for _ in range(5000)]
    assert loads(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "words", "column"),
    [
        (b'{"a": "caf\xe9"}', "not valid UTF-8: byte 0xe9", 11),
        ('{"a": 1', "ends in the middle", 8),
        ('{"a": "x', "ends in the middle", 7),
        ('{"a": 1}\0', "a raw NUL byte", 9),
        ('{"a": "\x01"}', "control character", 8),
        ('{"a": 1} x', "extra data", 10),
        ("{'a': 1}", "expecting property name", 2),
    ],
)
def test_errors_say_what_and_where(text: str | bytes, words: str, column: int) -> None:
    found = error(text)
    assert words in found.message
    assert found.column == column


def test_numbers_can_keep_their_text() -> None:
    value = loads_keeping_numbers('{"id": 1.10, "n": [1, 1e2], "s": "1"}')
    assert value == {"id": "1.10", "n": ["1", "1e2"], "s": "1"}
    assert isinstance(value["id"], NumberText)
    assert not isinstance(value["s"], NumberText)


@given(
    st.recursive(
        st.text(alphabet="a\ud800\udc00😀"), lambda s: st.lists(s) | st.dictionaries(st.just("k"), s)
    )
)
def test_scrubbing_leaves_nothing_that_cannot_be_encoded(value: object) -> None:
    escaped = json.dumps(value)
    parsed = loads(escaped)
    clean, count = scrub(parsed)
    json.dumps(clean, ensure_ascii=False).encode()
    assert (count > 0) == (clean != parsed)
    assert count == 0 or strictjson.may_hold_surrogates(escaped.encode())


def test_keys_that_scrubbing_would_merge_are_refused() -> None:
    with pytest.raises(JsonError, match="become equal"):
        scrub(loads(r'{"\ud800": 1, "\udfff": 2}'))


def test_a_pair_of_surrogate_escapes_is_one_character() -> None:
    assert scrub(loads(r'"\ud83d\ude00"')) == ("😀", 0)
    assert scrub(loads(r'"\\ud83d\ude00"')) == ("\\ud83d\ufffd", 1)


def test_installed_json_packages_change_nothing() -> None:
    """A package that calls itself orjson must not be asked."""
    code = (
        "import sys, types; fake = types.ModuleType('orjson'); fake.loads = lambda text: 'fooled'\n"
        "sys.modules['orjson'] = sys.modules['ujson'] = fake\n"
        "from evalharness.data.strictjson import loads\n"
        "from evalharness.data import writing\n"
        "print(loads('[123456789012345678901234567890, 1.5]'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[123456789012345678901234567890, 1.5]\n"


def test_floats_are_plain_floats() -> None:
    assert type(loads("1.5")) is float
    assert math.isclose(loads("1.5"), 1.5)
