"""gate.xml: JUnit XML with a case per criterion and slice and per demand; inconclusive cases are skipped ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from evalharness.core.text import visible
from evalharness.gate.types import Comparison, GateResult, Verdict
from evalharness.report.gate.words import change, name_of, paired_text, reasons, signed

_NOT_XML = re.compile("[\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class _Case:
    group: str
    name: str
    verdict: Verdict
    message: str
    detail: str


def gate_junit(result: GateResult) -> str:
    """The text of gate.xml."""
    cases = list(_cases(result))
    failures = sum(case.verdict is Verdict.FAIL for case in cases)
    skipped = sum(case.verdict is Verdict.INCONCLUSIVE for case in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0"'
    title = _attribute(f"{result.run} against {result.baseline}")
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="evalharness gate" {counts} time="0">',
        f'  <testsuite name={title} {counts} skipped="{skipped}" time="0">',
        *(line for case in cases for line in _case(case)),
        "  </testsuite>",
        "</testsuites>",
    ]
    return "\n".join(lines) + "\n"


def _cases(result: GateResult) -> Iterator[_Case]:
    for row in result.gating:
        assert row.verdict is not None
        name = name_of(row.column)
        yield _Case("gate.criteria", name, row.verdict, reasons(row) or _within(row), _detail(row))
        for part in row.slices:
            title = f"{name} [{part.key}={part.value}]"
            message = f"change {signed(part.difference.value)}, p {part.p_adjusted}"
            verdict = Verdict.INCONCLUSIVE if part.dropped else Verdict.PASS
            yield _Case("gate.slices", title, verdict, f"a drop in this slice: {message}", message)
    for demand in result.demands:
        yield _Case("gate.demands", demand.name, demand.verdict, demand.reason, demand.reason)


def _within(row: Comparison) -> str:
    return f"change {change(row)}"


def _detail(row: Comparison) -> str:
    return f"change {change(row)}; {paired_text(row)}"


def _case(case: _Case) -> Iterator[str]:
    head = f'    <testcase classname="{case.group}" name={_attribute(case.name)} time="0"'
    if case.verdict is Verdict.PASS:
        yield f"{head}/>"
        return
    yield f"{head}>"
    if case.verdict is Verdict.FAIL:
        yield f'      <failure type="regression" message={_attribute(case.message)}>{_text(case.detail)}</failure>'
    else:
        yield f"      <skipped message={_attribute(f'inconclusive: {case.message}')}/>"
    yield "    </testcase>"


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _text(text: str) -> str:
    return escape(_clean(text))


def _clean(text: str) -> str:
    """Text without the characters that XML can't hold."""
    return _NOT_XML.sub("\ufffd", visible(text))
