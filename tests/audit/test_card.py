"""The judge card as a page and in a run's report: offline, quiet, readable, and safe with hostile names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalharness.api.audit_reading import read_audits
from evalharness.report.audit.card import card_of
from evalharness.report.html.assets import CARD_STYLES, policy
from tests.browser import DESK, PHONE, axe_findings, open_browser, visit
from tests.cli.runner import run
from tests.report.payloads import PAYLOADS
from tests.tiny import HELPFULNESS

ROWS = 9
CARDS = Path(__file__).parents[2] / "docs" / "judge-cards"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with an audit of a judge in it, whose name and notes are hostile."""
    folder = tmp_path_factory.mktemp("audited")
    rows = [
        {
            "id": f"d{n}",
            "messages": [
                {"role": "user", "content": "Where?"},
                {"role": "assistant", "content": f"In Lyon, box {n}."},
            ],
        }
        for n in range(ROWS)
    ]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "tiny.yaml").write_text(HELPFULNESS)
    lines = [{"judge": "someone"}] + [
        {"dialogue": f"d{n}", "turn": 1, "criterion": "helpfulness", "outputs": ["Rating: 4"]}
        for n in range(ROWS)
    ]
    (folder / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    assert run("score", folder / "in.jsonl", "-o", folder / "run", "-q").code == 0
    judge = f"j=replay:{folder / 'said.jsonl'}"
    ran = run("audit", folder / "run", "-j", judge, "-r", folder / "tiny.yaml", "--probe", "verbosity")
    assert ran.code == 0, ran.err
    assert "run/audit/judge-card.html" in ran.out
    return folder / "run"


def test_the_report_of_the_run_shows_the_audit(audited: Path):
    page = (audited / "report.html").read_text()
    assert "What the judges can be trusted with" in page
    assert 'href="audit/judge-card.html"' in page


@pytest.mark.parametrize("page", ["audit/judge-card.html", "report.html"])
@pytest.mark.parametrize(("size", "scheme"), [(DESK, "light"), (PHONE, "dark")])
def test_axe_finds_nothing_serious_and_the_page_is_quiet(
    chromium: Any, audited: Path, page: str, size: tuple[int, int], scheme: str
):
    with visit(chromium, audited / page, size=size, scheme=scheme) as seen:
        assert axe_findings(seen.page) == []
        assert seen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        seen.assert_quiet()


@pytest.mark.parametrize("name", ["local", "fitted"])
def test_a_card_prints_on_one_page_of_a4(chromium: Any, name: str):
    with visit(chromium, CARDS / f"{name}.html") as seen:
        printed = seen.page.pdf(prefer_css_page_size=True)
    assert re.findall(rb"/Type /Pages\s*/Count (\d+)", printed) == [b"1"]
    (width, height) = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)[0]
    assert (round(float(width)), round(float(height))) == (595, 842)  # points


def test_a_judge_of_which_nothing_is_settled_hears_why_and_what_would_help(tmp_path: Path, audited: Path):
    document = json.loads((CARDS / "fitted.json").read_text())
    for row in (*document["effects"], *document["measures"]):
        row["finding"] = "unclear"
        row["open"] = {"items": 40, "groups": 29, "width": 0.21, "tolerated": 0.05, "more": 123}
    document["effects"][-1]["open"] = {"items": 5, "groups": 5, "width": 0.6, "tolerated": 0.05, "more": None}
    document["measures"][-1].pop("open")  # as an audit of an earlier version left it
    card = card_of(document)
    assert card.good == ("Nothing is shown so far: 20 questions stayed open, listed under Not settled.",)
    said = {entry.name: entry.why for entry in card.unsettled}
    assert len(said) == 20
    assert said["verbosity"] == "40 items (29 groups), interval 0.210 wide, ±0.050 tolerated: about 130 more"
    assert said["injection-tool"] == (
        "5 items, no finding rests on fewer than 8, interval 0.600 wide, ±0.050 tolerated: "
        "so near the margin that no number would settle it"
    )
    assert said["length beyond people's (severity)"] == "more dialogues would tell (--size)"
    assert "about --size 170." in card.unsettled_note
    (tmp_path / "audit.json").write_text(json.dumps(document))
    assert run("score", audited.parent / "in.jsonl", "-o", tmp_path, "-q").code == 0
    assert "interval 0.210 wide, ±0.050 tolerated: about 130 more" in (tmp_path / "report.html").read_text()


def test_the_policy_lets_our_own_style_alone_in(audited: Path):
    page = (audited / "audit" / "judge-card.html").read_text()
    assert "<script" not in page
    assert policy(CARD_STYLES, ()).replace("'", "&#39;") in page


def test_hostile_names_stay_text(chromium: Any, audited: Path, tmp_path: Path):
    document = json.loads((audited / "audit" / "audit.json").read_text())
    document["judge"] = document["rubric"] = " ".join(PAYLOADS)
    document["notes"] = list(PAYLOADS)
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "audit.json").write_text(json.dumps(document))
    assert run("score", audited.parent / "in.jsonl", "-o", tmp_path, "-q").code == 0
    with visit(chromium, tmp_path / "report.html") as seen:
        assert seen.page.inner_text("#audit h3")
        seen.assert_quiet()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "can't be read"),
        ('{"schema_version": 99}', "99"),
        ('{"schema_version": 1}', "can't be read"),
        ("[]", "read"),
    ],
)
def test_a_damaged_audit_is_named_and_stops_nothing(tmp_path: Path, audited: Path, text: str, said: str):
    (tmp_path / "audit.json").write_text(text)
    assert run("score", audited.parent / "in.jsonl", "-o", tmp_path, "-q").code == 0
    (section,) = read_audits(tmp_path)
    assert section.card is None and said in section.problem
    assert "audit.json" in (tmp_path / "report.html").read_text()
