"""How the page looks and where it works: colours, phones, paper, without scripts, in old browsers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalharness.report.page import Cap
from tests.browser import DESK, PHONE, axe_findings, visit
from tests.report.page_data import small_run
from tests.report.page_visit import ready

pytestmark = pytest.mark.browser


def test_colours_follow_the_system_and_the_button(chromium: Any, small_page: Path):
    ground = "getComputedStyle(document.body).backgroundColor"
    with visit(chromium, small_page, scheme="dark") as seen:
        page = ready(seen)
        dark = page.evaluate(ground)
        page.click("#theme")
        light = page.evaluate(ground)
        assert (dark, light) == ("rgb(19, 21, 24)", "rgb(247, 247, 245)")
        page.reload()
        ready(seen)
        assert page.evaluate(ground) == light
        assert page.locator("#theme").get_attribute("aria-label") == "Colours: light"
        page.click("#theme")
        page.click("#theme")
        assert page.evaluate(ground) == dark


def test_on_a_phone_list_and_conversation_take_turns(chromium: Any, small_page: Path):
    with visit(chromium, small_page, size=PHONE) as seen:
        page = ready(seen)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        assert not page.locator(".pane").is_visible()
        assert (
            page.eval_on_selector_all(
                "#criteria :is(td, th)",
                "cells => cells.filter((c) => c.scrollWidth > c.clientWidth + 1).length",
            )
            == 0
        )
        page.locator(".row").nth(1).click()
        page.wait_for_selector("#dialogue-title")
        assert not page.locator(".side").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
        page.get_by_role("button", name="Back to the list").click()
        assert page.locator(".side").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("size", "address"),
    [(DESK, "#parcel-v2/5"), (DESK, "#?q=nothing-has-this"), (PHONE, ""), (PHONE, "#parcel-v2/5")],
)
def test_axe_finds_nothing_serious(
    chromium: Any, small_page: Path, scheme: str, size: tuple[int, int], address: str
):
    with visit(chromium, small_page, address, size=size, scheme=scheme) as seen:
        page = ready(seen)
        seen.until("document.querySelector('#list-status').textContent.startsWith('Reading')", False)
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        assert axe_findings(page) == []


def test_axe_finds_nothing_serious_in_the_help(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = ready(seen)
        page.keyboard.press("?")
        assert axe_findings(page) == []


def test_without_scripts_the_figures_stand(chromium: Any, small_page: Path):
    with visit(chromium, small_page, java_script_enabled=False) as seen:
        words = seen.page.inner_text("body")
        assert "4.30" in words
        assert "showing dialogues needs them" in words


def test_a_browser_that_is_too_old_says_so(chromium: Any, tmp_path: Path):
    path = tmp_path / "r.html"
    path.write_text(small_run().page(cap=Cap(size=5_000)), encoding="utf-8")
    context = chromium.new_context()
    page = context.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(path.as_uri())
    page.wait_for_selector("#dialogues [role=alert]")
    assert "can't show the dialogues" in page.locator("#dialogues").inner_text()
    context.close()


def test_on_paper_there_are_figures_and_the_open_dialogue(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#parcel-v2/5", scheme="dark") as seen:
        page = ready(seen)
        page.wait_for_selector("#m-5.chosen")
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator("#m-5 .rationale").first.is_visible()
        assert not page.locator(".side").is_visible()
        assert not page.locator(".bar").is_visible()


def test_the_policy_stops_a_script_that_should_not_be_there(chromium: Any, tmp_path: Path, small_page: Path):
    broken = small_page.read_text(encoding="utf-8").replace(
        "</main>", "<script>document.title = 'got in'</script></main>"
    )
    path = tmp_path / "broken.html"
    path.write_text(broken, encoding="utf-8")
    context = chromium.new_context()
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.title() == "Parcel bot"
    context.close()
