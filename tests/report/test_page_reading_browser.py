"""Reading conversations in a real browser: evidence, keyboard, copying, long and hidden texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalharness.core.scores import Evidence, Score
from tests.browser import visit
from tests.report.page_data import BLEU, judge_columns, make_run, parcel
from tests.report.page_visit import ROWS, TITLE, ready

pytestmark = pytest.mark.browser


def test_a_link_to_a_turn_opens_it_with_its_evidence_marked(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#parcel/5") as seen:
        page = ready(seen)
        page.wait_for_selector("#m-5.chosen")
        assert page.evaluate("document.activeElement.id") == "m-5"
        assert page.locator("#m-4 mark.evidence-mark").all_inner_texts() == ["on its way"]
        assert page.locator("#m-4 details.tool-text").get_attribute("open") is not None
        page.keyboard.press("x")
        page.locator("#m-5 .evidence .cite").first.click()
        assert page.evaluate("document.activeElement.id") == "m-4"
        assert page.evaluate("location.hash") == "#parcel/5"


@pytest.mark.parametrize(
    ("quote", "marked"),
    [
        ("THE PARCEL  is", ["The parcel\nis"]),
        ('called "late"', ["called “late"]),
        ("The parcel … on Monday", ["The parcel", "on Monday"]),
        ("strasse 7", ["Straße 7"]),
        ("cafe\u0301", ["café"]),
        ("ﬁne", ["fine"]),
        ("'on Monday.'", ["on Monday."]),
        ("never said", []),
        ("…", []),
    ],
)
def test_quotes_are_found_as_the_judge_s_evidence_was_checked(
    chromium: Any, tmp_path: Path, quote: str, marked: list[str]
):
    from evalharness.judges.evidence import holds

    text = "The parcel\nis called “late”, Straße 7, café, fine; on Monday."
    found = holds(text, quote)
    assert found == bool(marked)
    verdict = (Score(4.0, evidence=(Evidence(5, quote, True),)), Score(0.0), Score(1.0))
    run = make_run([parcel(reply=text)], {1: judge_columns()}, {("parcel", 5, 1): verdict})
    path = tmp_path / "r.html"
    path.write_text(run.page(), encoding="utf-8")
    with visit(chromium, path, "#parcel/5") as seen:
        page = ready(seen)
        page.wait_for_selector("#m-5.chosen")
        assert page.locator("#m-5 mark.evidence-mark").all_text_contents() == marked


def test_a_conversation_shows_everything_that_is_known(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#parcel-v2/5") as seen:
        page = ready(seen)
        page.wait_for_selector("#m-5.chosen")
        text = page.locator(".pane").text_content()
        for part in (
            "Learn where parcel 7 is.", "Finds a parcel.", "Parcels arrive within three days.", "It comes on Monday.",
            "Parcel 7: Monday", "lost-parcel", "talks.jsonl:2", "given", "not found in the dialogue",
            "samples 2/3", "It is about a parcel.", "delivery", "no reference", "words",
        ):  # fmt: skip
            assert part in text, part
        assert '"deep": {\n    "a": [\n' in text
        assert page.locator("#m-5 .rubric-head .judge").all_inner_texts() == ["gpt-5-mini", "claude-haiku"]
        assert page.locator("#m-5 .levels td.num").all_inner_texts() == ["0.25", "0.75"]


def test_the_keyboard_goes_everywhere(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = ready(seen)
        page.wait_for_selector("#dialogue-title")
        page.keyboard.press("j")
        seen.until(TITLE, "parcel-v2")
        assert page.locator(".position").inner_text() == "2 of 3"
        page.keyboard.press("j")
        page.keyboard.press("j")
        seen.until(TITLE, "refund")
        page.keyboard.press("k")
        seen.until(TITLE, "parcel-v2")
        page.keyboard.press("n")
        page.wait_for_selector("#m-3.chosen")
        page.keyboard.press("n")
        page.wait_for_selector("#m-5.chosen")
        page.keyboard.press("p")
        page.wait_for_selector("#m-3.chosen")
        assert page.evaluate("location.hash") == "#parcel-v2/3"
        page.keyboard.press("Escape")
        seen.until("document.activeElement.classList.contains('row')")
        assert page.evaluate("document.activeElement.getAttribute('aria-current')") == "true"
        page.keyboard.press("Enter")
        seen.until("document.activeElement.closest('.pane') !== null")
        page.keyboard.press("x")
        assert page.locator("details.verdict:not([open])").count() == 0
        page.keyboard.press("?")
        assert page.locator("dialog[open]").is_visible()
        page.keyboard.press("j")
        page.keyboard.press("Escape")
        assert page.locator("dialog[open]").count() == 0
        assert page.locator("#dialogue-title").inner_text() == "parcel-v2"


def test_typing_is_never_a_shortcut(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = ready(seen)
        page.focus("#search")
        page.keyboard.type("jk?x/")
        assert page.input_value("#search") == "jk?x/"
        assert page.locator("dialog[open]").count() == 0


def test_copying(chromium: Any, small_page: Path):
    allowed = ["clipboard-read", "clipboard-write"]
    with visit(chromium, small_page, "#refund/5", permissions=allowed) as seen:
        page = ready(seen)
        page.wait_for_selector("#m-5.chosen")
        page.get_by_role("button", name="Copy the dialogue and its scores as JSON").click()
        seen.until("document.querySelector('.toast').textContent", "JSON copied")
        copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
        assert copied["dialogue"]["messages"][5]["content"] == "In June."
        row = next(o for o in copied["outcomes"] if o["turn"] == 5 and o["criterion"] == "helpfulness")
        assert (row["status"], row["cause"], row["value"]) == ("failed", "timeout", None)
        assert len(copied["outcomes"]) == 2 * (3 + 3 + 1 + 1) + 1
        page.keyboard.press("c")
        seen.until("document.querySelector('.toast').textContent", "Link copied")
        assert page.evaluate("navigator.clipboard.readText()") == small_page.as_uri() + "#refund/5"


def test_hidden_characters_are_shown_and_flagged(chromium: Any, tmp_path: Path):
    path = tmp_path / "r.html"
    talk = parcel("odd", reply="total \u202e001\u202c due\u200b now\u200d")
    path.write_text(make_run([talk, parcel("plain")], {4: BLEU}, {}).page(), encoding="utf-8")
    with visit(chromium, path, "#odd/5") as seen:
        page = ready(seen)
        page.wait_for_selector("#m-5.chosen")
        assert (
            page.locator("#m-5 .m-content > .text").inner_text()
            == "total <U+202E>001<U+202C> due<U+200B> now\u200d"
        )
        assert "can't be seen" in page.locator(".d-head .alert").inner_text()
        page.evaluate("location.hash = '#?flag=invisible'")
        seen.until(ROWS, 1)


def test_hidden_characters_are_the_same_here_and_in_python(chromium: Any, tmp_path: Path):
    from evalharness.core.text import has_invisible

    codes = [
        c
        for c in range(0x110000)
        if not 0xD800 <= c <= 0xDFFF and c not in (10, 13) and has_invisible(chr(c))
    ]
    path = tmp_path / "r.html"
    talk = parcel("odd", reply="".join(f"{chr(code)}|" for code in codes[:3000]))
    rest = parcel("rest", reply="".join(f"{chr(code)}|" for code in codes[3000:]))
    path.write_text(make_run([talk, rest], {4: BLEU}, {}).page(), encoding="utf-8")
    with visit(chromium, path) as seen:
        page = ready(seen)
        found = 0
        for name in ("odd", "rest"):
            page.evaluate("name => { location.hash = `#${name}/5` }", name)
            seen.until(TITLE, name)
            if page.locator("#m-5 .more-text").count():
                page.locator("#m-5 .more-text").click()
            found += page.locator("#m-5 .m-content .code").count()
        assert found == len(codes)


def test_a_long_conversation_opens_anywhere(chromium: Any, tmp_path: Path):
    from evalharness.core.dialogue import Dialogue, Message

    messages = tuple(Message("user" if i % 2 == 0 else "assistant", f"number {i}") for i in range(5000))
    run = make_run([Dialogue("long", messages)], {4: BLEU}, {})
    path = tmp_path / "r.html"
    path.write_text(run.page(), encoding="utf-8")
    with visit(chromium, path, "#long/4001") as seen:
        page = ready(seen)
        page.wait_for_selector("#m-4001.chosen")
        assert page.locator(".message").count() == 120
        page.get_by_role("button", name="Show earlier messages").click()
        assert page.locator(".message").count() == 240
        page.evaluate("location.hash = '#long/3'")
        page.wait_for_selector("#m-3.chosen")
