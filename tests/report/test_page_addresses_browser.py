"""Addresses within the page in a real browser: shared links, odd ids, back and forward."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser import visit
from tests.report.page_data import BLEU, make_run, parcel
from tests.report.page_visit import TITLE, ready

pytestmark = pytest.mark.browser


def test_back_and_forward_go_through_what_was_read(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = ready(seen)
        for number, name in ((1, "parcel-v2"), (2, "refund")):
            page.locator(".row").nth(number).click()
            seen.until(TITLE, name)
        page.go_back()
        seen.until(TITLE, "parcel-v2")
        assert page.locator(".row[aria-current] .row-id").inner_text() == "parcel-v2"
        page.go_forward()
        seen.until(TITLE, "refund")
        assert page.locator(".row[aria-current] .row-id").inner_text() == "refund"


def test_an_unknown_dialogue_is_said(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#nobody/3") as seen:
        page = ready(seen)
        page.wait_for_selector(".pane .nothing")
        assert "This page has no dialogue nobody" in page.locator(".pane").inner_text()


@pytest.mark.parametrize(
    ("address", "title"),
    [
        ("#", "parcel"), ("#?", "parcel"), ("#/", "Not here"), ("#parcel/99999999999", "parcel"),
        ("#%E0%A4%A/1", "Not here"), ("#?c=99&ge=x&x=a", ""), ("#~ZZZZ/", "Not here"),
    ],
)  # fmt: skip
def test_odd_addresses_do_no_harm(chromium: Any, small_page: Path, address: str, title: str):
    """The list stands, and what the address can't name is said or left alone."""
    with visit(chromium, small_page, address) as seen:
        page = ready(seen)
        rows = page.locator(".row .row-id").all_inner_texts()
        assert rows == ([] if address.startswith("#?c=99") else ["parcel", "parcel-v2", "refund"])
        if title == "Not here":
            page.wait_for_selector(".pane .nothing")
            assert "This page has no dialogue" in page.locator(".pane").inner_text()
        elif title:
            seen.until(TITLE, title)
            assert page.locator(".pane .nothing").count() == 0


def test_odd_ids_have_addresses(chromium: Any, tmp_path: Path):
    ids = [
        "a/b",
        "a%2Fb",
        "~",
        "\ud800",
        "%",
        "?q=1",
        "#",
        "x y",
        "é🙂",
        "a~D800",
        "'()*!",
        "..",
        "\u202e",
        "\x00",
    ]
    path = tmp_path / "r.html"
    path.write_text(make_run([parcel(name) for name in ids], {4: BLEU}, {}).page(), encoding="utf-8")
    with visit(chromium, path) as seen:
        page = ready(seen)
        hrefs = [page.locator(".row").nth(i).get_attribute("href") for i in range(len(ids))]
        assert len(set(hrefs)) == len(ids)
        for href in hrefs:
            page.evaluate("href => { location.hash = href }", href)
            seen.until("document.querySelector('.row[aria-current]')?.getAttribute('href')", href)


def test_addresses_written_by_the_report_and_by_the_page_are_the_same(chromium: Any, tmp_path: Path):
    from evalharness.report.html.links import dialogue_link

    ids = ["a/b", "~", "\ud800", "%", "é🙂", "'()*!", "\u202e", "a b"]
    path = tmp_path / "r.html"
    path.write_text(make_run([parcel(name) for name in ids], {4: BLEU}, {}).page(), encoding="utf-8")
    with visit(chromium, path) as seen:
        page = ready(seen)
        hrefs = {page.locator(".row").nth(i).get_attribute("href") for i in range(len(ids))}
        assert hrefs == {dialogue_link(name) for name in ids}
