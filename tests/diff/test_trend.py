"""`evalharness trend`: means over runs, breaks where the instrument changed, a safe page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import html5lib
import pytest

from evalharness.core.dialogue import Unit
from evalharness.core.scores import Column
from evalharness.core.snapshot import Mark, Series, Snapshot, Subject
from evalharness.gate.history import history
from evalharness.report.trend import trend_page, trend_text
from tests.browser import DESK, PHONE, axe_findings, open_browser, visit
from tests.cli.runner import DATASETS, run
from tests.report.payloads import PAYLOADS


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("sample", "degraded"):
        assert run("score", DATASETS / f"{name}.jsonl", "-m", "bleu", "-o", name, "-q").code == 0
    assert run("score", DATASETS / "sample.jsonl", "-m", "bleu,chrf", "-o", "more", "-q").code == 0
    return tmp_path


def test_means_stand_in_the_order_in_which_runs_are_named():
    ran = run("trend", "sample", "degraded", "more", "--json")
    assert ran.code == 0, ran.err
    assert [row["name"] for row in ran.json["runs"]] == ["sample", "degraded", "more"]
    bleu, chrf = ran.json["criteria"]
    assert [point["run"] for point in bleu["points"]] == [0, 1, 2]
    first, second, third = (point["mean"] for point in bleu["points"])
    assert first == third > second
    assert all(point["low"] < point["mean"] < point["high"] for point in bleu["points"])
    assert [point["run"] for point in chrf["points"]] == [2]


def test_a_changed_instrument_breaks_the_line():
    rubric = "rubric: r\nversion: 1\nunit: turn\nabout: x\ncriteria:\n  good:\n    question: {q}\n    scale: binary\n    good: yes\n"
    Path("in.jsonl").write_text(
        '{"id": "a", "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}\n'
    )
    Path("v.jsonl").write_text('{"dialogue": "a", "turn": 1, "criterion": "good", "outputs": ["yes"]}\n')
    for name, question in (("one", "Good?"), ("two", "Good?"), ("three", "Better?")):
        Path("r.yaml").write_text(rubric.format(q=question))
        assert run("score", "in.jsonl", "-r", "r.yaml", "-j", "j=replay:v.jsonl", "-o", name, "-q").code == 0
    ran = run("trend", "one", "two", "three", "--out", "t")
    assert ran.out.count("not comparable with what stands above") == 2  # good, and the overall made from it
    points = json.loads(Path("t/trend.json").read_text())["criteria"][0]["points"]
    assert [bool(point["instrument_changed"]) for point in points] == [False, False, True]
    page = Path("t/trend.html").read_text()
    assert page.count("<polyline") == 2 * 2


def test_baseline_files_serve_and_one_run_is_no_trend():
    assert run("baseline", "save", "sample", "-o", "base.json").code == 0
    assert run("trend", "base.json", "degraded", "-q").code == 0
    ran = run("trend", "sample")
    assert (ran.code, "two runs or more" in ran.err) == (2, True)
    assert run("trend", "sample", "nowhere").code == 2


@pytest.mark.parametrize(("size", "scheme"), [(DESK, "dark"), (PHONE, "light")])
def test_axe_finds_nothing_serious(chromium: Any, work: Path, size: tuple[int, int], scheme: str):
    assert run("trend", "sample", "degraded", "more", "--out", "t", "-q").code == 0
    with visit(chromium, work / "t" / "trend.html", size=size, scheme=scheme) as seen:
        assert axe_findings(seen.page) == []
        assert not seen.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )


def test_hostile_names_change_nothing(work: Path):
    def shape(judge: str) -> list[str]:
        def made(signature: str) -> Snapshot:
            column = Column(
                judge, judge, Unit.TURN, signature, judge, low=0.0, high=1.0, higher_is_better=True
            )
            series = Series(column, 1, (Mark(0, 1, 1, 1.0, "scored"),))
            return Snapshot(judge, judge, (Subject(judge, judge, "h"),), (series,))

        found = history([made(f"a:{judge}"), made(f"a:{judge}x")])
        assert "\x1b" not in trend_text(found)
        tree = html5lib.parse(trend_page(found), namespaceHTMLElements=False)
        return [str(element.tag) for element in tree.iter()]

    plain = shape("plain words")
    for text in PAYLOADS[:: len(PAYLOADS) // 60]:
        assert shape(text) == plain, text
