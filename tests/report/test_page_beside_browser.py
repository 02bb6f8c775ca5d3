"""Gate, labels, slices and left-out texts on the page in a real browser, in both colour schemes and on a phone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalharness.core import native
from evalharness.core.canonical import canonical_json
from evalharness.core.redaction.redactor import Redactor
from evalharness.core.textless import textless_dialogue, textless_result
from tests.browser import DESK, PHONE, axe_findings, visit
from tests.report.page_beside import standing
from tests.report.page_data import Run, good, judge_columns, make_run, parcel, poor, small_run
from tests.report.page_visit import NAMES, ready

pytestmark = pytest.mark.browser

STATUS = "document.querySelector('#list-status').textContent"


def sliced_run() -> Run:
    """Forty dialogues of two languages, one of them much worse, and some verdicts that the judge was unsure of."""
    talks = []
    results = {}
    for number in range(40):
        name = f"talk{number:02d}"
        language = "de" if number % 2 else "en"
        talk = parcel(name)
        talks.append(replace(talk, group=name, metadata={**talk.metadata, "lang": language}))
        said = poor() if language == "de" and number % 4 == 1 else good()
        if number == 2:
            said = (replace(said[0], probabilities={"4": 0.4, "5": 0.6}), *said[1:])  # type: ignore[arg-type]
        results[name, 5, 1] = said
    return make_run(talks, {1: judge_columns()}, results)


@pytest.fixture(scope="module")
def beside_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("beside") / "report.html"
    page = sliced_run().page(title="Parcel bot", standing=standing(item=("talk01", 5)), masked={"EMAIL": 3})
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def bare_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = small_run()
    bodies = [textless_dialogue(one.load()) for one in run.stored]
    stored = tuple(
        replace(one, body=canonical_json(native.to_json(body)))
        for one, body in zip(run.stored, bodies, strict=True)
    )
    rows = tuple(replace(row, results=tuple(map(textless_result, row.results))) for row in run.rows)
    path = tmp_path_factory.mktemp("bare") / "report.html"
    page = replace(run, stored=stored, rows=rows).page(title="Bare", textless=True)
    path.write_text(page, encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE])
def test_the_first_screen_says_gate_trust_and_worst_slice(
    chromium: Any, beside_page: Path, scheme: str, size: tuple[int, int]
) -> None:
    with visit(chromium, beside_page, scheme=scheme, size=size) as seen:
        page = ready(seen)
        lines = [" ".join(text.split()) for text in page.locator(".strip").all_inner_texts()]
        assert lines[0].startswith("Gate regressed helpfulness −0.310 [−0.480, −0.140], tolerated −0.200")
        assert lines[1].startswith("Trust helpfulness usable: like one rater; 1 criterion unchecked")
        assert lines[2].startswith("Worst slice lang = de; ")
        assert all(page.locator(".strip").nth(n).is_visible() for n in range(3))
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE])
def test_axe_finds_nothing_serious_beside_the_scores(
    chromium: Any, beside_page: Path, scheme: str, size: tuple[int, int]
) -> None:
    with visit(chromium, beside_page, scheme=scheme, size=size) as seen:
        page = ready(seen)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert axe_findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_without_texts(chromium: Any, bare_page: Path, scheme: str) -> None:
    with visit(chromium, bare_page, scheme=scheme) as seen:
        assert axe_findings(ready(seen)) == []


def test_every_line_leads_to_its_dialogues(chromium: Any, beside_page: Path) -> None:
    with visit(chromium, beside_page) as seen:
        page = ready(seen)
        page.locator(".strip a", has_text="helpfulness −0.310").click()
        seen.until(NAMES, ["talk01"])
        page.evaluate("location.hash = '#summary'")
        page.locator(".strip a", has_text="lang = de").click()
        seen.until(STATUS, "20 of 40 scored items")
        page.evaluate("location.hash = '#summary'")
        page.locator("a.chip", has_text="judge ≠ human").click()
        seen.until(NAMES, ["talk01"])


def test_chips_of_what_to_read_count_what_their_lists_show(chromium: Any, beside_page: Path) -> None:
    with visit(chromium, beside_page) as seen:
        page = ready(seen)
        for name in ("newly failing", "judge ≠ human", "uncertain"):
            chip = page.locator("a.chip", has_text=name)
            counted = int(chip.locator("b").inner_text())
            chip.click()
            seen.until(STATUS, f"{counted} of 40 scored items")
            page.evaluate("location.hash = '#summary'")


def test_marks_can_be_chosen_in_the_filter(chromium: Any, beside_page: Path) -> None:
    with visit(chromium, beside_page) as seen:
        page = ready(seen)
        page.locator("details.more > summary").click()
        noteworthy = page.locator("label.field", has=page.get_by_text("noteworthy", exact=True)).locator(
            "select"
        )
        noteworthy.select_option("new")
        seen.until(NAMES, ["talk01"])
        assert "newly failing" in page.locator(".active").inner_text()


def test_a_disagreement_links_to_its_message(chromium: Any, beside_page: Path) -> None:
    with visit(chromium, beside_page) as seen:
        page = ready(seen)
        page.locator(".disagreements a").first.click()
        page.wait_for_selector("#m-5.chosen")
        assert page.locator("#dialogue-title").inner_text() == "talk01"


def test_agreement_has_its_numbers_in_tables(chromium: Any, beside_page: Path) -> None:
    with visit(chromium, beside_page) as seen:
        page = ready(seen)
        assert page.locator("#agreement .agreed").inner_text().count("0.640 [0.540, 0.740]") == 1
        assert page.locator("#agreement .heat td").all_inner_texts()[1:] == ["20", "4", "1", "35"]
        row = page.locator("table.criteria tr", has_text="helpfulness").first
        assert "0.640 [0.540, 0.740]" in row.inner_text()
        assert "▼ −0.310" in row.inner_text()


def test_without_texts_conversations_show_who_spoke(chromium: Any, bare_page: Path) -> None:
    with visit(chromium, bare_page, "#parcel/5") as seen:
        page = ready(seen)
        page.wait_for_selector("#m-5.chosen")
        assert "Dialogue text was left out" in page.locator("#summary").inner_text()
        roles = page.locator(".message .role").all_inner_texts()
        assert [role.lower() for role in roles] == [
            "system",
            "assistant",
            "user",
            "assistant",
            "tool",
            "assistant",
        ]
        assert page.locator(".message .m-content").all_inner_texts() == ["(text left out)"] * 6
        assert "Monday" not in page.content()


def test_masked_texts_are_read_and_found_like_others(chromium: Any, tmp_path: Path) -> None:
    run = small_run()
    redactor = Redactor()
    talk = parcel("parcel", reply="Write to ada@example.org.")
    scope = redactor.scope(talk)
    stored = (replace(run.stored[0], body=canonical_json(native.to_json(scope.dialogue))), *run.stored[1:])
    path = tmp_path / "masked.html"
    path.write_text(replace(run, stored=stored).page(masked=scope.counts), encoding="utf-8")
    with visit(chromium, path, "#parcel/5") as seen:
        page = ready(seen)
        page.wait_for_selector("#m-5.chosen")
        assert "Write to [EMAIL-1]." in page.locator("#m-5").inner_text()
        assert "Masked: 1 EMAIL" in page.locator("#summary").inner_text()
        page.locator("#search").fill('"[email-1]"')
        seen.until(STATUS, "1 of 3 dialogues")
