"""YAML without its traps."""

from __future__ import annotations

import pytest

from evalharness.data.strictyaml import load_mapping, parse_mapping, plain_scalar
from evalharness.errors import ConfigError


def _parse(text: str) -> dict[str, object]:
    return dict(parse_mapping(text, "f.yaml"))


@pytest.mark.parametrize(
    ("written", "read"),
    [("yes", "yes"), ("no", "no"), ("on", "on"), ("1:30", "1:30"), ("010", "010"), ("1e3", 1000.0), ("0x1f", "0x1f"),
     ("1_0", "1_0"), (".5", ".5"), ("12", 12), ("-2.5", -2.5), ("true", True), ("~", None), ("2024-01-01", "2024-01-01"),
     ("1e999", "1e999"), (".inf", ".inf"), (".nan", ".nan"), ("Null", "Null")],
)  # fmt: skip
def test_scalars_are_what_json_would_read(written: str, read: object):
    assert _parse(f"a: {written}") == {"a": read}
    assert plain_scalar(written) == read


def test_quoted_scalars_are_text():
    assert _parse("a: '1'\nb: \"true\"\nc: |\n  2\n") == {"a": "1", "b": "true", "c": "2\n"}


def test_places_are_kept():
    found = parse_mapping("a: 1\nb:\n  c: 2\n", "f")
    assert (found.keys_at["b"].line, found["b"].keys_at["c"].line, found["b"].keys_at["c"].column) == (
        2,
        3,
        3,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", r"f.yaml:2:1: the key 'a' stands twice, first in line 1"),
        ("a: !!python/object/apply:os.system [id]", "tags like"),
        ("a: !custom x", "tags like"),
        ("a: !!set {x}", "tags like"),
        ("- 1\n- 2", "expected `key: value`"),
        ("", "the file is empty"),
        ("a: b: c", "this is not YAML.*A colon inside text needs quotes"),
        ("a:\n\t- b", "this is not YAML"),
        ("? [1, 2]\n: x", "a key must be plain text"),
        ("a: &x [1]\nb: \x00", "this is not YAML"),
        ("[" * 5000, "this is not YAML"),
        ("a: " + "[" * 60 + "]" * 60, "nested too deeply"),
    ],
)
def test_traps_are_errors_with_a_line(text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        _parse(text)


def test_an_alias_bomb_is_refused():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match="aliases expand to too much"):
        _parse("\n".join(lines))


def test_all_problems_at_once():
    with pytest.raises(ConfigError) as caught:
        _parse("a: 1\na: 2\nb: !x 1\nb: 2\n")
    assert len(caught.value.problems) == 3


def test_a_file_that_is_no_text(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_bytes(b"a: \xff\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_mapping(path)
    with pytest.raises(ConfigError, match="can't read it"):
        load_mapping(tmp_path / "absent.yaml")
