"""The list in a real browser: search, filters, sorting, and counts that lead to what they count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalharness.report.page import Cap
from tests.browser import visit
from tests.report.page_data import small_run
from tests.report.page_visit import NAMES, ROWS, field, open_filters, ready, rows

pytestmark = pytest.mark.browser


def test_the_list_shows_all_dialogues_and_the_first_conversation(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = ready(seen)
        assert page.locator("#list-status").inner_text() == "3 dialogues"
        assert rows(page) == ["parcel", "parcel-v2", "refund"]
        page.wait_for_selector("#dialogue-title")
        assert page.locator("#dialogue-title").inner_text() == "parcel"
        assert page.evaluate("scrollY") == 0


def test_a_count_links_to_what_it_counts(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = ready(seen)
        page.locator(".card a.bad").first.click()
        seen.until(NAMES, ["refund"])
        page.wait_for_selector("#m-5.chosen")
        assert "timeout" in page.locator("#m-5 .failure").nth(1).inner_text()
        assert page.locator("#m-5").is_visible()


def test_every_linked_count_is_the_length_of_its_list(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = ready(seen)
        links = page.eval_on_selector_all(
            "#criteria td.num > a:not(.note), #causes .chip, .bars tr a, #systems td.num > a:not(.note)",
            """links => links.map(a => [a.getAttribute('href'),
               (a.closest('.bars') ? a.closest('tr').querySelector('.num') : a.querySelector('b') ?? a).textContent])""",
        )
        assert len(links) > 60
        for href, number in links:
            page.evaluate("href => { location.hash = href }", href)
            seen.until("document.querySelector('#list-status').textContent.split(' ')[0]", number)


def test_search_finds_texts_rationales_and_phrases(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = ready(seen)
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "search"
        for query, found in (
            ("can't SAY", ["parcel-v2"]),
            ('"in june"', ["refund"]),
            ("ignores the question", ["parcel-v2"]),
            ("nothing-has-this", []),
        ):
            page.fill("#search", query)
            seen.until(NAMES, found)
        assert page.locator(".list .nothing").is_visible()
        page.fill("#search", "june")
        seen.until("document.querySelector('mark.hit')?.textContent", "June")
        page.focus("#search")
        page.keyboard.press("Escape")
        seen.until(ROWS, 3)


def test_search_in_items_looks_at_each_item(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#?rows=items&q=ignores") as seen:
        page = ready(seen)
        seen.until(ROWS, 1)
        assert page.locator(".row").get_attribute("href") == "#parcel-v2/5?q=ignores&rows=items"


def test_sorting_by_a_criterion_puts_the_worst_first(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = ready(seen)
        field(page, "criterion").select_option(label="helpfulness · gpt-5-mini")
        seen.until(ROWS, 6)
        assert rows(page)[0] == "parcel-v2"
        assert page.locator(".row .chip").first.inner_text().split() == ["✗", "1.50", "(does", "not", "pass)"]
        assert rows(page)[-1] == "refund"
        field(page, "sort").select_option("best")
        assert rows(page)[:1] == ["parcel"]


def test_sorting_by_disagreement_and_failures(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#?sort=disagreement&rows=items") as seen:
        page = ready(seen)
        assert page.locator(".row").first.get_attribute("href").startswith("#parcel-v2/5")
    with visit(chromium, small_page, "#?sort=failures") as seen:
        page = ready(seen)
        assert rows(page)[0] == "refund"


def test_filters_by_value_outcome_slice_and_flag(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = ready(seen)
        open_filters(page)
        field(page, "outcome").select_option("failed:timeout")
        seen.until(ROWS, 1)
        assert page.locator(".active .chip").all_inner_texts() == ["failed: timeout ×\n(remove this filter)"]
        page.locator(".active .chip").click()
        seen.until(ROWS, 3)
        field(page, "criterion").select_option(label="helpfulness · gpt-5-mini")
        field(page, "to").fill("2")
        field(page, "to").press("Tab")
        seen.until(ROWS, 1)
        assert "le=2" in page.evaluate("location.hash")
        page.get_by_role("button", name="Clear all filters").click()
        field(page, "system").select_option("v2")
        seen.until(ROWS, 2)
        field(page, "noteworthy").select_option("unfound")
        seen.until(ROWS, 1)
        assert rows(page) == ["parcel-v2"]


def test_a_filter_in_the_address_is_a_link_to_share(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#?c=0&s=scored&ge=5&system=v2") as seen:
        page = ready(seen)
        assert set(rows(page)) == {"parcel-v2", "refund"}
        assert field(page, "criterion").input_value() == "0"


def test_packed_data_reads_like_plain_data(chromium: Any, tmp_path: Path):
    """The same lists and the same conversation from a page whose data is packed."""
    shown = []
    for name, cap in (("plain", Cap()), ("packed", Cap(size=5_000))):
        path = tmp_path / f"{name}.html"
        path.write_text(small_run().page(cap=cap), encoding="utf-8")
        with visit(chromium, path, "#?q=ignores") as seen:
            page = ready(seen)
            seen.until(NAMES, ["parcel-v2"])
            page.evaluate("location.hash = '#parcel-v2/5'")
            page.wait_for_selector("#m-5.chosen")
            packed = page.locator("script[type='application/octet-stream']").count() > 0
            assert packed is (name == "packed")
            shown.append(page.locator(".pane").inner_text())
    assert shown[0] == shown[1]
