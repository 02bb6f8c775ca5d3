"""What works on this Python must work on the oldest one that is promised."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[1] / "evalharness").rglob("*.py"))
POSSESSIVE_GROUP = re.compile(r"\)(?:\*|\+|\?|\{\d+(?:,\d*)?\})\+(?!\+)[\"'()\[\\|]")


def test_the_pattern_finds_what_it_is_for():
    assert POSSESSIVE_GROUP.search(r"""rb'"(?:\\.[^"]*+)*+"'""")
    assert not POSSESSIVE_GROUP.search(r"""rb'[^"\\]*+(?:\\.[^"\\]*+)*"'""")


@pytest.mark.parametrize(
    "path", [s for s in SOURCES if "import re\n" in s.read_text(encoding="utf-8")], ids=lambda p: p.name
)
def test_the_standard_re_gets_no_possessive_group(path: Path):
    """They match wrongly before Python 3.11.5; the ``regex`` package has them right everywhere."""
    assert POSSESSIVE_GROUP.search(path.read_text(encoding="utf-8")) is None
