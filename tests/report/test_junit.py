"""gate.xml follows the schema that CI servers read, whatever stands in ids and texts, and its counts are true."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from evalharness.core.policy import CriterionPolicy, Policy
from evalharness.gate.decide import gate
from evalharness.gate.types import GateResult, Verdict
from evalharness.report.gate.annotations import workflow_commands
from evalharness.report.gate.junit import gate_junit
from tests.gate.helpers import COLUMN, snapshot
from tests.report.payloads import PAYLOADS

xmlschema = pytest.importorskip("xmlschema", reason="no xmlschema: pip install xmlschema")
SCHEMA = xmlschema.XMLSchema(str(Path(__file__).parent / "junit.xsd"))
HOSTILE = [
    *PAYLOADS[::30],
    "::error::x",
    "a\n::set-output name=x::y",
    "%0A::warning::z",
    "\ud800",
    "]]>",
    "\x00\x1b[2J",
    "\ufffe",
]


def _result(name: str, levels: tuple[float, float], policy: Policy) -> GateResult:
    before = {f"{name}{i}": [levels[0]] for i in range(30)}
    column = replace(COLUMN, criterion=name, scorer=name)
    old = snapshot(before, column, name=name, metadata={"lang": name})
    new = snapshot(
        {group: [levels[1]] for group in before}, column, name=name, tag=name, metadata={"lang": name}
    )
    return gate(old, new, policy)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("levels", [(5.0, 1.0), (5.0, 5.0), (3.0, 4.0)])
def test_every_result_follows_the_schema(name: str, levels: tuple[float, float]):
    criteria = {name: CriterionPolicy(max_new_failures=0, min_pass_rate=0.5)}
    result = _result(
        name, levels, Policy(criteria=criteria, must_pass=(f"{name}3", "nobody"), slices=("lang",))
    )
    text = gate_junit(result)
    SCHEMA.validate(io.BytesIO(text.encode()))
    suite = ElementTree.fromstring(text.encode()).find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    assert int(suite.get("tests", "")) == len(cases)
    assert int(suite.get("failures", "")) == sum(case.find("failure") is not None for case in cases)
    assert int(suite.get("skipped", "")) == sum(case.find("skipped") is not None for case in cases)


def test_the_schema_refuses_what_is_no_junit():
    text = gate_junit(_result("a", (5.0, 1.0), Policy()))
    for wrong in (
        text.replace("failures=", "failed="),
        text.replace("<failure", "<wrong").replace("/failure", "/wrong"),
    ):
        assert not SCHEMA.is_valid(io.BytesIO(wrong.encode()))


def test_cases_are_by_criterion_slice_and_demand():
    result = _result("a", (5.0, 1.0), Policy(must_pass=("nobody",), slices=("lang",)))
    root = ElementTree.fromstring(gate_junit(result).encode())
    found = {(case.get("classname"), case.get("name")) for case in root.iter("testcase")}
    assert found == {
        ("gate.criteria", "a · a"),
        ("gate.slices", "a · a [lang=a]"),
        ("gate.demands", "must pass: nobody"),
    }
    assert result.verdict is Verdict.FAIL


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_issues_a_workflow_command(name: str):
    """A command is a line that begins with ``::``: each of ours is one line, of a known kind, with nothing unescaped."""
    criteria = {name: CriterionPolicy(max_new_failures=0)}
    result = _result(name, (5.0, 1.0), Policy(criteria=criteria, must_pass=(f"{name}3",), source=name))
    lines = workflow_commands(result, {("r", name): (name, 3)})
    assert len(lines) > 3
    for line in lines:
        assert line.splitlines() == [line]
        kind, _, rest = line[2:].partition("::")
        assert kind.split(" ")[0] in ("error", "warning", "notice")
        properties = kind.partition(" ")[2]
        assert all(part.split("=")[0] in ("file", "line", "title") for part in properties.split(",") if part)
        assert rest
        assert not any(char in line for char in "\x00\x1b\r\n")
