"""docs/rubrics.md: its example loads, its tables are complete."""

from __future__ import annotations

import re
from pathlib import Path

from evalharness.data import rubric_lint
from evalharness.data.rubrics import CRITERION_KEYS, RUBRIC_KEYS, parse_rubric

PAGE = (Path(__file__).parents[2] / "docs" / "rubrics.md").read_text(encoding="utf-8")


def test_the_example_is_a_valid_rubric_without_findings(tmp_path):
    text = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
    assert parse_rubric(text).name == "parcel-reply"
    path = tmp_path / "r.yaml"
    path.write_text(text)
    assert rubric_lint.lint_files([str(path)]) == ([], [])


def test_every_field_is_described():
    described = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE))))
    assert set(RUBRIC_KEYS) | set(CRITERION_KEYS) - {"min", "max"} <= described


def test_every_lint_code_is_described():
    source = Path(rubric_lint.__file__).read_text(encoding="utf-8")
    codes = set(re.findall(r'(?:_finding|Finding)\(\s*"([\w-]+)"', source))
    assert len(codes) >= 12
    assert codes <= set(re.findall(r"`([\w-]+)`", PAGE))
