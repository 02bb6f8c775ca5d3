"""The page in a real browser: what people do with it, in both colour schemes and on a phone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalharness.core.scores import Evidence, Score
from evalharness.report.page import Cap
from tests.browser import DESK, PHONE, Visit, axe_findings, visit
from tests.report.page_data import BLEU, judge_columns, make_run, parcel, small_run

pytestmark = pytest.mark.browser

ROWS = "document.querySelectorAll('.row').length"
NAMES = "[...document.querySelectorAll('.row .row-id')].map((id) => id.textContent)"
TITLE = "document.querySelector('#dialogue-title').textContent"


def _ready(seen: Visit) -> Any:
    """The page once the list stands."""
    seen.page.wait_for_selector("#explorer:not([hidden]) #list-status:not(:empty)", state="attached")
    return seen.page


def _rows(page: Any) -> list[str]:
    return [text.strip() for text in page.locator(".row .row-id").all_inner_texts()]


def _open_filters(page: Any) -> None:
    page.locator("details.more > summary").click()


def _field(page: Any, name: str) -> Any:
    return page.locator("label.field", has=page.get_by_text(name, exact=True)).locator("select, input")


def test_the_list_shows_all_dialogues_and_the_first_conversation(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = _ready(seen)
        assert page.locator("#list-status").inner_text() == "3 dialogues"
        assert _rows(page) == ["parcel", "parcel-v2", "refund"]
        page.wait_for_selector("#dialogue-title")
        assert page.locator("#dialogue-title").inner_text() == "parcel"
        assert page.evaluate("scrollY") == 0


def test_a_count_links_to_what_it_counts(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = _ready(seen)
        page.locator(".card a.bad").first.click()
        seen.until(NAMES, ["refund"])
        page.wait_for_selector("#m-5.chosen")
        assert "timeout" in page.locator("#m-5 .failure").nth(1).inner_text()
        assert page.locator("#m-5").is_visible()


def test_every_linked_count_is_the_length_of_its_list(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = _ready(seen)
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
        page = _ready(seen)
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
        page = _ready(seen)
        seen.until(ROWS, 1)
        assert page.locator(".row").get_attribute("href") == "#parcel-v2/5?q=ignores&rows=items"


def test_sorting_by_a_criterion_puts_the_worst_first(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = _ready(seen)
        _field(page, "criterion").select_option(label="helpfulness · gpt-5-mini")
        seen.until(ROWS, 6)
        assert _rows(page)[0] == "parcel-v2"
        assert page.locator(".row .chip").first.inner_text().split() == ["✗", "1.50", "(does", "not", "pass)"]
        assert _rows(page)[-1] == "refund"
        _field(page, "sort").select_option("best")
        assert _rows(page)[:1] == ["parcel"]


def test_sorting_by_disagreement_and_failures(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#?sort=disagreement&rows=items") as seen:
        page = _ready(seen)
        assert page.locator(".row").first.get_attribute("href").startswith("#parcel-v2/5")
    with visit(chromium, small_page, "#?sort=failures") as seen:
        page = _ready(seen)
        assert _rows(page)[0] == "refund"


def test_filters_by_value_outcome_slice_and_flag(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = _ready(seen)
        _open_filters(page)
        _field(page, "outcome").select_option("failed:timeout")
        seen.until(ROWS, 1)
        assert page.locator(".active .chip").all_inner_texts() == ["failed: timeout ×\n(remove this filter)"]
        page.locator(".active .chip").click()
        seen.until(ROWS, 3)
        _field(page, "criterion").select_option(label="helpfulness · gpt-5-mini")
        _field(page, "to").fill("2")
        _field(page, "to").press("Tab")
        seen.until(ROWS, 1)
        assert "le=2" in page.evaluate("location.hash")
        page.get_by_role("button", name="Clear all filters").click()
        _field(page, "system").select_option("v2")
        seen.until(ROWS, 2)
        _field(page, "noteworthy").select_option("unfound")
        seen.until(ROWS, 1)
        assert _rows(page) == ["parcel-v2"]


def test_a_filter_in_the_address_is_a_link_to_share(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#?c=0&s=scored&ge=5&system=v2") as seen:
        page = _ready(seen)
        assert set(_rows(page)) == {"parcel-v2", "refund"}
        assert _field(page, "criterion").input_value() == "0"


def test_a_link_to_a_turn_opens_it_with_its_evidence_marked(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#parcel/5") as seen:
        page = _ready(seen)
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
        page = _ready(seen)
        page.wait_for_selector("#m-5.chosen")
        assert page.locator("#m-5 mark.evidence-mark").all_text_contents() == marked


def test_a_conversation_shows_everything_that_is_known(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#parcel-v2/5") as seen:
        page = _ready(seen)
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
        page = _ready(seen)
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
        page = _ready(seen)
        page.focus("#search")
        page.keyboard.type("jk?x/")
        assert page.input_value("#search") == "jk?x/"
        assert page.locator("dialog[open]").count() == 0


def test_copying(chromium: Any, small_page: Path):
    allowed = ["clipboard-read", "clipboard-write"]
    with visit(chromium, small_page, "#refund/5", permissions=allowed) as seen:
        page = _ready(seen)
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


def test_back_and_forward_go_through_what_was_read(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = _ready(seen)
        page.locator(".row").nth(1).click()
        seen.until(TITLE, "parcel-v2")
        page.locator(".row").nth(2).click()
        seen.until(TITLE, "refund")
        page.go_back()
        seen.until(TITLE, "parcel-v2")


def test_an_unknown_dialogue_is_said(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#nobody/3") as seen:
        page = _ready(seen)
        page.wait_for_selector(".pane .nothing")
        assert "This page has no dialogue nobody" in page.locator(".pane").inner_text()


@pytest.mark.parametrize(
    "address", ["#", "#?", "#/", "#parcel/99999999999", "#%E0%A4%A/1", "#?c=99&ge=x&x=a", "#~ZZZZ/"]
)
def test_odd_addresses_do_no_harm(chromium: Any, small_page: Path, address: str):
    with visit(chromium, small_page, address) as seen:
        _ready(seen)


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
        page = _ready(seen)
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
        page = _ready(seen)
        hrefs = {page.locator(".row").nth(i).get_attribute("href") for i in range(len(ids))}
        assert hrefs == {dialogue_link(name) for name in ids}


def test_hidden_characters_are_shown_and_flagged(chromium: Any, tmp_path: Path):
    path = tmp_path / "r.html"
    talk = parcel("odd", reply="total \u202e001\u202c due\u200b now\u200d")
    path.write_text(make_run([talk, parcel("plain")], {4: BLEU}, {}).page(), encoding="utf-8")
    with visit(chromium, path, "#odd/5") as seen:
        page = _ready(seen)
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
        page = _ready(seen)
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
        page = _ready(seen)
        page.wait_for_selector("#m-4001.chosen")
        assert page.locator(".message").count() == 120
        page.get_by_role("button", name="Show earlier messages").click()
        assert page.locator(".message").count() == 240
        page.evaluate("location.hash = '#long/3'")
        page.wait_for_selector("#m-3.chosen")


def test_colours_follow_the_system_and_the_button(chromium: Any, small_page: Path):
    ground = "getComputedStyle(document.body).backgroundColor"
    with visit(chromium, small_page, scheme="dark") as seen:
        page = _ready(seen)
        dark = page.evaluate(ground)
        page.click("#theme")
        light = page.evaluate(ground)
        assert (dark, light) == ("rgb(19, 21, 24)", "rgb(247, 247, 245)")
        page.reload()
        _ready(seen)
        assert page.evaluate(ground) == light
        assert page.locator("#theme").get_attribute("aria-label") == "Colours: light"
        page.click("#theme")
        page.click("#theme")
        assert page.evaluate(ground) == dark


def test_on_a_phone_list_and_conversation_take_turns(chromium: Any, small_page: Path):
    with visit(chromium, small_page, size=PHONE) as seen:
        page = _ready(seen)
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
        page = _ready(seen)
        seen.until("document.querySelector('#list-status').textContent.startsWith('Reading')", False)
        page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        assert axe_findings(page) == []


def test_axe_finds_nothing_serious_in_the_help(chromium: Any, small_page: Path):
    with visit(chromium, small_page) as seen:
        page = _ready(seen)
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


def test_packed_data_reads_like_plain_data(chromium: Any, tmp_path: Path):
    path = tmp_path / "r.html"
    path.write_text(small_run().page(cap=Cap(size=5_000)), encoding="utf-8")
    with visit(chromium, path, "#?q=ignores") as seen:
        _ready(seen)
        seen.until(NAMES, ["parcel-v2"])


def test_on_paper_there_are_figures_and_the_open_dialogue(chromium: Any, small_page: Path):
    with visit(chromium, small_page, "#parcel-v2/5", scheme="dark") as seen:
        page = _ready(seen)
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
