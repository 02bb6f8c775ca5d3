"""agree.html: in a browser, for assistive technology, and with payloads in every text field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from evalharness.analysis.agreement.contest import AgreeOptions
from evalharness.analysis.agreement.joining import JoinOptions
from evalharness.analysis.agreement.types import Agreement
from evalharness.api.agreeing import AgreeJob, run_agree
from evalharness.report.agreement.charts import diagrams_of, differences_of
from evalharness.report.agreement.page import agreement_page
from evalharness.report.figures import number as shown
from tests.agreement.runs import dialogue, make_run, write_lines
from tests.browser import DESK, PHONE, axe_findings, open_browser, visit
from tests.report.page_dom import parse, shape
from tests.report.payloads import SHARPEST


@pytest.fixture(scope="module")
def agreement(tmp_path_factory: pytest.TempPathFactory) -> Agreement:
    """Everything that the page can show: samples, slices, disagreements with comments, three raters, a draw."""
    place = tmp_path_factory.mktemp("page")
    dialogues = [
        dialogue(f"d{i}", ["word " * (3 + i % 7)], metadata={"lang": "de" if i % 2 else "en"})
        for i in range(60)
    ]
    outputs = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": name, "outputs": values}
        for i in range(60)
        for name, values in (
            ("tone", [float(1 + i % 5), float(1 + (i + i % 3) % 5), float(1 + i % 5)]),
            ("safe", [float(i % 10 != 0)] * 3),
        )
    ]
    folder = make_run(place, dialogues, outputs)
    labels = [
        {
            "dialogue": f"d{i}", "turn": 1, "criterion": name, "rater": rater, "comment": "so so",
            "value": value, "probability": 0.5 if i % 2 else 1.0,
        }
        for i in range(60)
        for rater, shift in (("a", 0), ("b", i % 3 == 0), ("c", i % 4 == 0))
        for name, value in (("tone", max(1, 1 + i % 5 - shift)), ("safe", "no" if i % 10 == 5 else "yes"))
    ]  # fmt: skip
    job = AgreeJob(
        folder, (str(write_lines(place / "labels.jsonl", labels)),), join=JoinOptions(slices=("lang",)),
        options=AgreeOptions(), write=False,
    )  # fmt: skip
    found = run_agree(job).agreement
    shown = {name for report in found.criteria for name in report.shown}
    rows = [row for row in found.rows if row.statistic in shown or row.statistic.startswith("bland_altman")]
    return replace(found, rows=tuple(rows), disagreements=found.disagreements[:6])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with open_browser() as browser:
        yield browser


def test_the_page_shows_every_part(agreement: Agreement) -> None:
    page = agreement_page(agreement, "run")
    for text in (
        "Each judge beside one rater", "not drawn at random", "human", "reliability", "Bland-Altman",
        "agreement by number of averaged samples", "humans down, judge across", "Slices", "lang=de", "All figures",
        "Where judge and humans differ most", "baseline: reply length", "so so",
    ):  # fmt: skip
        assert text in page, text
    assert "<script" not in page


def test_axes_say_where_they_begin_and_end(agreement: Agreement) -> None:
    page = agreement_page(agreement, "run")
    tone = next(report for report in agreement.criteria if report.criterion == "tone")
    (plot,) = differences_of(agreement, tone)
    means = [(judge + human) / 2 for judge, human in tone.scatters[0].points]
    gaps = [abs(judge - human) for judge, human in tone.scatters[0].points]
    assert plot.across == ((10.0, shown(min(means))), (210.0, shown(max(means))))
    (top, reach), (middle, nothing), (bottom, least) = plot.up
    assert (top, middle, bottom) == (8.0, 110.0, 212.0)
    assert (nothing, least) == ("0", f"\N{MINUS SIGN}{reach}")
    limits = [
        row.estimate.value
        for row in agreement.rows
        if row.statistic == "bland_altman_upper" and not row.slice
    ]
    assert reach == shown(max(*gaps, *(value for value in limits if value is not None)))
    for text in (*plot.up, *plot.across):
        assert f">{text[1]}</text>" in page
    (diagram,) = diagrams_of(tone)
    assert f'<text x="20" y="198" text-anchor="end">{diagram.ends[0]}</text>' in page


@pytest.mark.browser
@pytest.mark.parametrize(("size", "scheme"), [(DESK, "dark"), (PHONE, "light")])
def test_the_page_is_readable_everywhere(
    chromium: Any, agreement: Agreement, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    path = tmp_path / "agree.html"
    path.write_text(agreement_page(agreement, "run"), encoding="utf-8")
    with visit(chromium, path, size=size, scheme=scheme) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        seen.page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert axe_findings(seen.page) == []


_KEPT = {"statistic", "grouping", "code", "codes", "shown", "sliced_by", "method", "slice"}


def poisoned(value: Any, text: str, name: str = "") -> Any:
    """The value with the text in the place of every text of it; names that the code looks for stay."""
    if (
        name in _KEPT
        or isinstance(value, Enum)
        or (not isinstance(value, str | tuple | dict) and not is_dataclass(value))
    ):
        return value
    if isinstance(value, str):
        return text if value and not value.startswith(("human:", "baseline:")) else value
    if isinstance(value, tuple):
        return tuple(poisoned(part, text) for part in value)
    if isinstance(value, dict):
        return value
    return replace(value, **{f.name: poisoned(getattr(value, f.name), text, f.name) for f in fields(value)})


def sliced(found: Agreement, text: str) -> Agreement:
    """The payload as the value of every slice, too."""
    rows = tuple(
        replace(row, slice=f"lang={text}") if row.slice.startswith("lang=") else row for row in found.rows
    )
    return replace(found, rows=rows)


def test_no_payload_changes_the_tree_of_the_page(agreement: Agreement) -> None:
    def tree(text: str) -> list[Any]:
        return shape(parse(agreement_page(sliced(poisoned(agreement, text), text), text)))

    plain = tree("word")
    different = [text for text in _few(SHARPEST) if tree(text) != plain]
    assert different == []


@pytest.mark.browser
def test_no_payload_does_anything(chromium: Any, agreement: Agreement, tmp_path: Path) -> None:
    for number, text in enumerate(_few(SHARPEST)):
        path = tmp_path / f"{number}.html"
        path.write_text(agreement_page(sliced(poisoned(agreement, text), text), text), encoding="utf-8")
        with visit(chromium, path) as seen:
            seen.page.evaluate(
                "document.querySelectorAll('details').forEach((part) => { part.open = true; })"
            )
            assert seen.page.evaluate("document.scripts.length") == 0


def _few(payloads: Sequence[str]) -> Sequence[str]:
    return payloads[:: max(1, len(payloads) // 12)]
