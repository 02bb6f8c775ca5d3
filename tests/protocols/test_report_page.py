"""What the report page shows of panels and claims, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import axe_findings, open_browser, visit
from tests.cli.runner import run
from tests.protocols.files import record, score, settings, write_dialogues, write_rubric
from tests.protocols.test_claims import NO, SPLIT, YES, recorded, write_dialogue

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with open_browser() as browser:
        yield browser


def test_the_items_on_which_a_panel_differs_are_a_click_away(chromium: Any):
    write_rubric()
    write_dialogues(3)
    names = [
        record(f"m{n}", "quality", dict(zip(("d0", "d1", "d2"), said, strict=True)))
        for n, said in enumerate([(4, 4, 1), (4, 3, 5)])
    ]
    settings({"jury": {"panel": names}})
    assert score("jury").code == 0
    with visit(chromium, Path("r/report.html").resolve()) as seen:
        page = seen.page
        page.wait_for_selector("#explorer:not([hidden]) #list-status:not(:empty)", state="attached")
        page.get_by_text("panel differs").click()
        seen.until("document.querySelectorAll('.row').length", 2)
        assert page.locator(".row .row-id").all_inner_texts() == ["d2", "d1"]
        about = page.locator("details.about-row").nth(1)
        about.locator("summary").click()
        assert "mean 3.33, 3 verdicts" in about.inner_text() or "mean 3.00, 3 verdicts" in about.inner_text()


def test_every_claim_is_shown_with_its_verdict(chromium: Any):
    write_dialogue()
    recorded(SPLIT, YES, NO)
    assert run("score", "in.jsonl", "-r", "claims", "-j", "grounded", "-o", "r", "-q").code == 0
    with visit(chromium, Path("r/report.html").resolve()) as seen:
        page = seen.page
        page.wait_for_selector(".claims", state="attached")
        page.locator("details.verdict", has=page.locator(".claims")).first.evaluate("e => { e.open = true; }")
        assert [text.split("\n")[0] for text in page.locator(".claims > li").all_inner_texts()] == [
            "supported The parcel takes three days.", "unsupported The parcel is in Nice.",
        ]  # fmt: skip
        assert page.locator(".claims > li.unfound").count() == 1
        supported = page.locator(".claims > li").first
        assert supported.locator(".evidence li").all_inner_texts() == ["three days document 1"]
        assert page.locator(".said > .evidence").count() == 0  # what stands under a claim is not listed again
        assert axe_findings(page) == []
