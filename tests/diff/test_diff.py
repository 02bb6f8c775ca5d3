"""`evalharness diff`: figures, movers, changed words, changed instruments; the page in a browser, safe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.report.wording import changed_words
from tests.browser import DESK, PHONE, axe_findings, open_browser, visit
from tests.cli.runner import DATASETS, Ran, run
from tests.report.payloads import PAYLOADS
from tests.tiny import HELPFULNESS


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(HELPFULNESS)
    return tmp_path


def make(name: str, levels: list[int], reply: str = "Parcel {n} is in Lyon.", judge: str = "one") -> None:
    """A run of one reply a scenario, with recorded levels."""
    rows, records = [], [{"judge": "someone"}]
    for n in range(len(levels)):
        said = [
            {"role": "user", "content": f"Where is {n}?"},
            {"role": "assistant", "content": reply.format(n=n)},
        ]
        rows.append({"id": f"{name}-{n}", "group": f"g{n}", "messages": said})
    # one recording for all runs, so that the judge's signature is the same
    for run_name, all_levels in (("old", OLD), ("new", NEW)):
        for n, level in enumerate(all_levels):
            records.append(
                {
                    "dialogue": f"{run_name}-{n}",
                    "turn": 1,
                    "criterion": "helpfulness",
                    "outputs": [f"Rating: {level}"],
                }
            )
    Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    Path(f"{judge}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records))
    arguments = ("-r", "tiny.yaml", "-j", f"j=replay:{judge}.jsonl", "-m", "bleu", "-o", name, "-q")
    assert run("score", f"{name}.jsonl", *arguments).code == 0


OLD = [5, 4, 4, 2, 3, 5]
NEW = [5, 2, 5, 4, 3, 1]


def diff(*more: str) -> Ran:
    make("old", OLD)
    make("new", NEW, reply="Parcel {n} is lost, sorry.")
    return run("diff", "old", "new", *more)


def test_means_movers_and_crossings():
    ran = diff("--json")
    assert ran.code == 0, ran.err
    (delta,) = [row for row in ran.json["columns"] if row["criterion"] == "helpfulness"]
    assert delta["difference"] == pytest.approx((sum(NEW) - sum(OLD)) / 6)
    assert (delta["better"], delta["worse"], delta["newly_failing"], delta["newly_passing"]) == (2, 2, 2, 1)
    assert delta["lower"] < delta["difference"] < delta["upper"]
    moved = [row for row in ran.json["movers"] if row["criterion"] == "helpfulness"]
    assert [row["change"] for row in moved] == [-4.0, -2.0, 1.0, 2.0]
    assert [row["crossed"] for row in moved] == ["failing", "failing", None, "passing"]
    assert moved[0]["old"] == {"dialogue": "old-5", "turn": 1, "value": 5.0}


def test_the_summary_fits_a_narrow_window_and_names_the_page():
    ran = diff()
    assert "helpfulness · j" in ran.out
    assert "page: new/diff.html" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_both_conversations_stand_side_by_side_with_changed_words(chromium: Any, work: Path):
    assert diff().code == 0
    with visit(chromium, work / "new" / "diff.html") as seen:
        page = seen.page
        assert page.inner_text(".move .side:nth-child(1) .say.judged .text") == "Parcel 5 is in Lyon."
        assert page.inner_text(".move .side:nth-child(2) .say.judged .text") == "Parcel 5 is lost, sorry."
        assert page.eval_on_selector_all(".move:first-of-type del", "all => all.map(e => e.textContent)") == [
            "in Lyon"
        ]
        assert page.eval_on_selector_all(".move:first-of-type ins", "all => all.map(e => e.textContent)") == [
            "lost, sorry"
        ]


@pytest.mark.parametrize(("size", "scheme"), [(DESK, "light"), (PHONE, "dark")])
def test_axe_finds_nothing_serious(chromium: Any, work: Path, size: tuple[int, int], scheme: str):
    assert diff().code == 0
    with visit(chromium, work / "new" / "diff.html", size=size, scheme=scheme) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        assert axe_findings(seen.page) == []


def test_a_changed_judge_is_said_on_top():
    make("old", OLD)
    Path("tiny.yaml").write_text(HELPFULNESS.replace("How helpful", "How very helpful"))
    make("new", NEW)
    ran = run("diff", "old", "new")
    assert ran.code == 0, ran.err
    assert "NOT COMPARABLE  helpfulness · j: rubric was" in ran.out
    assert "Not comparable: helpfulness" in Path("new/diff.html").read_text()


def test_columns_of_one_run_only_are_named_and_nothing_in_common_is_refused():
    make("old", OLD)
    assert run("score", "old.jsonl", "-m", "chrf", "-o", "other", "-q").code == 0
    ran = run("diff", "old", "other")
    assert ran.code == 2
    assert "no column" in ran.err
    assert run("score", "old.jsonl", "-m", "chrf,bleu", "-o", "third", "-q").code == 0
    ran = run("diff", "old", "third")
    assert "only in old: helpfulness (j on tiny)" in ran.out
    assert "only in third: chrf" in ran.out


def test_a_baseline_file_has_figures_and_no_conversations():
    make("old", OLD)
    make("new", NEW)
    assert run("baseline", "save", "old", "-o", "base.json").code == 0
    ran = run("diff", "base.json", "new")
    assert ran.code == 0, ran.err
    assert "The dialogue is not at hand." in Path("new/diff.html").read_text()


def test_equal_runs_move_nothing_and_equal_diffs_have_equal_bytes():
    make("old", OLD)
    assert run("diff", "old", "old", "-o", "a", "--json").json["moved"] == 0
    assert "Nothing moved." in Path("a/diff.html").read_text()
    make("new", NEW)
    for out in ("b", "c"):
        assert run("diff", "old", "new", "-o", out, "-q").code == 0
    for name in ("diff.json", "diff.html"):
        assert Path("b", name).read_bytes() == Path("c", name).read_bytes()


def test_the_sample_data_and_their_degraded_twins():
    for name in ("sample", "degraded"):
        assert run("score", DATASETS / f"{name}.jsonl", "-m", "rouge", "-o", name, "-q").code == 0
    rows = run("diff", "sample", "degraded", "--json").json["columns"]
    assert all(row["upper"] < 0 for row in rows)


@given(st.text(max_size=60), st.text(max_size=60))
def test_pieces_make_up_the_texts_and_what_is_unmarked_is_in_both(old: str, new: str):
    left, right = changed_words(old, new)
    assert "".join(piece.text for piece in left) == old
    assert "".join(piece.text for piece in right) == new
    assert [p.text for p in left if not p.changed] == [p.text for p in right if not p.changed]


def test_long_texts_are_compared_line_by_line():
    old = "\n".join(f"line {n}" for n in range(4000))
    left, right = changed_words(old, old.replace("line 7\n", "other 7\n"))
    assert [piece.text for piece in left if piece.changed] == ["line 7\n"]
    assert [piece.text for piece in right if piece.changed] == ["other 7\n"]


def hostile(text: str, place: str) -> Path:
    for name, reply in (("old", text), ("new", f"{text} and more")):
        said = [
            {"role": "user", "content": text},
            {"role": "assistant", "content": reply, "references": ["Parcel."]},
        ]
        row = {"id": f"{name}{text}", "group": f"g{text}", "messages": said}
        Path(f"{name}.jsonl").write_text(json.dumps(row) + "\n")
        assert run("score", f"{name}.jsonl", "-m", "surface,chrf", "-o", f"{place}/{name}", "-q").code == 0
    assert run("diff", f"{place}/old", f"{place}/new", "-q").code == 0
    return Path(place, "new", "diff.html").resolve()


def test_no_payload_changes_the_tree_or_does_anything(chromium: Any):
    def shape(path: Path) -> list[str]:
        tree = html5lib.parse(path.read_text(encoding="utf-8"), namespaceHTMLElements=False)
        return [str(e.tag) for e in tree.iter() if e.tag not in ("ins", "del")]

    plain = shape(hostile("plain words", "plain"))
    for number, text in enumerate(PAYLOADS[:: len(PAYLOADS) // 12]):
        path = hostile(text, f"p{number}")
        assert shape(path) == plain, text
        with visit(chromium, path):
            pass
