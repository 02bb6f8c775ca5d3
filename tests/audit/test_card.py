"""The judge card as a page and in a run's report: offline, quiet, readable, and safe with hostile names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalharness.api.audit_reading import read_audits
from evalharness.report.html.assets import CARD_STYLES, policy
from tests.browser import DESK, PHONE, axe_findings, open_browser, visit
from tests.cli.runner import run
from tests.report.payloads import PAYLOADS
from tests.tiny import HELPFULNESS

ROWS = 9


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
