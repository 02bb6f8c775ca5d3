"""The page for raters in a real browser: by keyboard alone, blind, safe, and read back by `agree`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import html5lib
import pytest

from evalharness.core.dialogue import Dialogue, Document, Item, Message, Tool, ToolCall, Unit
from evalharness.core.rubric import Criterion, Level, Rubric, Scale
from evalharness.report.labelling import Sampled, label_page
from tests.browser import DESK, PHONE, axe_findings, open_browser, visit
from tests.cli.runner import run
from tests.report.payloads import PAYLOADS

RUBRIC = """\
rubric: tiny
version: 1
unit: turn
about: "A support agent answers."
criteria:
  helpfulness:
    question: "How helpful is the reply?"
    scale: ordinal
    levels: {1: "Not.", 2: "A bit.", 3: "Fully."}
  polite:
    question: "Is it polite?"
    scale: binary
    good: yes
    cannot_assess: true
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with open_browser() as browser:
        yield browser


def said(value: int, quote: str) -> str:
    """What a judge answers about helpfulness, with the words that it goes by."""
    evidence = [{"message": "M1", "quote": quote}]
    return json.dumps(
        {"helpfulness": {"evidence": evidence, "rationale": "It names a city.", "value": value}}
    )


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(RUBRIC)
    rows = [
        {
            "id": f"d{n}",
            "metadata": {"system": "secret-system", "lang": "en" if n % 2 else "de"},
            "messages": [
                {"role": "user", "content": f"Where is parcel {n}?"},
                {"role": "assistant", "content": f"In Lyon, {n}.", "references": ["a hidden reference"]},
            ],
        }
        for n in range(6)
    ]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [{"judge": "someone"}] + [
        {"dialogue": f"d{n}", "turn": 1, "criterion": c, "outputs": outputs}
        for n in range(6)
        for c, outputs in (("helpfulness", [said(1 + n % 3, f"In Lyon, {n}")]), ("polite", ["yes"]))
    ]
    Path("recorded.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ran = run(
        "score",
        "in.jsonl",
        "-r",
        "tiny.yaml",
        "-j",
        "j=replay:recorded.jsonl",
        "-m",
        "surface",
        "-o",
        "run",
        "-q",
    )
    assert ran.code == 0, ran.err
    return tmp_path


def test_from_the_report_to_labels_that_agree_reads_by_keyboard_alone(chromium: Any, work: Path):
    made = run("label", "run", "--rubric", "tiny.yaml")
    assert made.code == 0, made.err
    assert "6 of 6 items" in made.out
    with visit(chromium, work / "run" / "report.html") as report:
        report.page.wait_for_selector("#list-status:not(:empty)")
        tab_to(report.page, "document.activeElement.matches('.first a')")
        assert report.page.evaluate("document.activeElement.textContent").startswith("d0")  # the worst of all
        report.page.keyboard.press("Enter")
        report.page.wait_for_selector("#m-1.chosen .evidence-mark")
        assert report.page.locator("#m-1 .evidence-mark").inner_text() == "In Lyon, 0"
        report.page.keyboard.press("x")
        report.until("document.querySelector('#m-1 .rationale')?.checkVisibility()")
        report.page.keyboard.press("j")
        report.until("document.querySelector('#dialogue-title').textContent !== 'd0'")
    with visit(chromium, work / "run" / "label.html", accept_downloads=True) as seen:
        keys = seen.page.keyboard
        seen.until("document.activeElement.id", "rater")
        keys.type("Ann")
        keys.press("Enter")
        seen.until("document.querySelectorAll('.judged').length", 1)
        for number in range(6):
            keys.press(str(1 + number % 3))
            keys.press("c" if number == 5 else "2")
            if number == 0:
                keys.press("m")
                keys.type("=looks fine, I think")
                keys.press("Escape")
            keys.press("Enter")
        seen.until("document.querySelector('#count').textContent.startsWith('all 6 done')")
        with seen.page.expect_download() as download:
            keys.press("e")
        download.value.save_as(work / "labels.csv")
    text = (work / "labels.csv").read_text()
    assert text.splitlines()[0] == "dialogue,turn,criterion,rater,value,comment,probability"
    assert len(text.splitlines()) == 1 + 6 + 5
    assert '"\'=looks fine, I think"' in text
    agreed = run("agree", "run", "--labels", "labels.csv", "--json")
    assert agreed.code == 0, agreed.err
    assert "helpfulness" in agreed.out


def tab_to(page: Any, reached: str) -> None:
    """Press Tab until the focus is there, as somebody without a mouse does."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(reached):
            return
    raise AssertionError(f"no way by keyboard to {reached}")


def test_undo_and_what_the_browser_keeps(chromium: Any, work: Path):
    assert run("label", "run", "--rubric", "tiny.yaml", "--raters", "ann,ben", "--overlap", "2").code == 0
    with visit(chromium, work / "run" / "label-ann.html") as seen:
        seen.until("document.querySelectorAll('.ask').length", 2)
        seen.page.keyboard.press("3")
        seen.until("document.querySelectorAll('[aria-pressed=true]').length", 1)
        seen.page.keyboard.press("1")
        seen.until("document.querySelector('#count').textContent", "1 of 4 done")
        seen.page.keyboard.press("u")
        seen.until("document.querySelector('#count').textContent", "0 of 4 done")
        seen.until("document.querySelector('.ask.active legend').textContent", "Is it polite?")
        seen.page.keyboard.press("2")
        seen.page.reload()
        seen.until("document.querySelector('#count').textContent", "1 of 4 done")


def test_raters_share_the_overlap_and_nothing_else(work: Path):
    ran = run("label", "run", "--rubric", "tiny.yaml", "--raters", "ann,ben", "--overlap", "2", "--json")
    assert [page["items"] for page in ran.json["pages"]] == [4, 4]
    ids = [{item["id"] for item in data_of(Path(page["page"]))["items"]} for page in ran.json["pages"]]
    assert len(ids[0] & ids[1]) == 2
    assert len(ids[0] | ids[1]) == 6


def data_of(path: Path) -> dict[str, Any]:
    import base64
    import zlib

    block = re.search(r'id="items">([^<]*)</script>', path.read_text())
    assert block is not None
    return json.loads(zlib.decompress(base64.b64decode(block[1]), -15))


def test_the_page_holds_neither_scores_nor_systems_nor_references(work: Path):
    assert run("label", "run", "--rubric", "tiny.yaml").code == 0
    text = json.dumps(data_of(work / "run" / "label.html"))
    for word in ("secret-system", "hidden reference", "someone", "metadata", "probabilities", "rationale"):
        assert word not in text
    assert {item["probability"] for item in data_of(work / "run" / "label.html")["items"]} == {1.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "tiny"),
        (["nowhere", "--rubric", "tiny.yaml"], "no run folder"),
        (["run", "--rubric", "tiny.yaml", "--by", "mood"], "no way to draw"),
        (["run", "--rubric", "tiny.yaml", "--by", "disagreement"], "two judges"),
        (["run", "--rubric", "tiny.yaml", "--by", "metadata.mood"], "mood"),
        (["run", "--rubric", "mt-bench-pair"], "pairs"),
    ],
)
def test_what_can_not_be_drawn_is_said(work: Path, arguments: list[str], message: str):
    ran = run("label", *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_slices_are_drawn_evenly_with_their_probability(work: Path):
    assert run("label", "run", "--rubric", "tiny.yaml", "--by", "metadata.lang", "--size", "4").code == 0
    items = data_of(work / "run" / "label.html")["items"]
    assert [round(item["probability"], 3) for item in items] == [0.667] * 4


@pytest.mark.parametrize(("size", "scheme"), [(DESK, "light"), (DESK, "dark"), (PHONE, "dark")])
def test_axe_finds_nothing_serious(chromium: Any, work: Path, size: tuple[int, int], scheme: str):
    assert run("label", "run", "--rubric", "tiny.yaml", "--raters", "ann").code == 0
    with visit(chromium, work / "run" / "label-ann.html", size=size, scheme=scheme) as seen:
        seen.until("document.querySelectorAll('.ask').length", 2)
        seen.page.keyboard.press("2")
        assert axe_findings(seen.page) == []
        wide = seen.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        assert not wide


def hostile(text: str, others: Sequence[str] = ()) -> str:
    """A page whose rubric is the text in every field, with an item for it and for each of the others."""
    criteria = (
        Criterion(
            f"a{text}", text, Scale.ORDINAL, (Level(f"1{text}", text, 1.0), Level(f"2{text}", text, 2.0))
        ),
        Criterion(f"b{text}", text, Scale.NUMERIC, minimum=0.0, maximum=100.0, cannot_assess=True),
    )
    rubric = Rubric("r", "1", Unit.TURN, text, criteria)
    return label_page(rubric, [Sampled(Item(talk(each), 3), 0.5) for each in (text, *others)], text)


def talk(text: str) -> Dialogue:
    return Dialogue(
        f"id{text}",
        (
            Message("user", text, name=text),
            Message(
                "assistant", text, tool_calls=(ToolCall(text, text, text),), context=(Document(text, text),)
            ),
            Message("tool", text, tool_call_id=text),
            Message("assistant", text),
        ),
        goal=text,
        tools=(Tool(text, text),),
        context=(Document(text, text),),
    )


SHAPE = """
[...document.querySelectorAll('main *')]
  .filter((e) => !e.closest('.tool-text, pre, .code') && !e.parentElement.closest('bdi'))
  .map((e) => e.tagName).join()
"""
WALK = f"""async () => {{
  const shapes = new Set();
  const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", {{ key, bubbles: true }}));
  const total = Number(document.querySelector("#progress").max);
  for (let step = 0; step < total; step += 1) {{
    document.querySelectorAll("details").forEach((d) => {{ d.open = true }});
    press("1");
    shapes.add({SHAPE.strip()});
    press("j");
    await new Promise((done) => setTimeout(done, 0));
  }}
  return [...shapes];
}}"""


def test_no_payload_does_anything_and_all_are_shown_as_text(chromium: Any, tmp_path: Path):
    path = tmp_path / "label.html"
    shapes = set()
    for place, text in enumerate(["plain words", *PAYLOADS[:: len(PAYLOADS) // 6]]):
        path.write_text(hostile(text, PAYLOADS[place::7]), encoding="utf-8", errors="surrogatepass")
        with visit(chromium, path) as seen:
            seen.until("document.querySelectorAll('.ask').length", 2)
            shapes.update(seen.page.evaluate(WALK))
    assert len(shapes) == 1


@pytest.mark.parametrize("start", range(0, len(PAYLOADS), 120))
def test_no_payload_changes_the_tree_of_the_file(start: int):
    def shape(text: str) -> list[str]:
        tree = html5lib.parse(hostile(text), namespaceHTMLElements=False)
        return [str(element.tag) for element in tree.iter()]

    plain = shape("plain words")
    for text in PAYLOADS[start : start + 120 : 6]:
        assert shape(text) == plain
