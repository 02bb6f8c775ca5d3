"""What the page says without scripts, and that it is one self-contained, repeatable file."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from evalharness.core.scores import Cause, Score
from evalharness.report.html.assets import SCRIPTS, STYLES, asset, script, style
from evalharness.report.html.strips import JudgeCost
from evalharness.report.page import Execution, report_page
from tests.report.page_data import (
    BLEU,
    LENGTH,
    Run,
    failed,
    good,
    judge_columns,
    make_run,
    parcel,
    skipped,
    small_run,
)
from tests.report.page_dom import attributes, islands, parse, visible_text


def _words(run: Run, **options: object) -> str:
    return " ".join(visible_text(parse(run.page(**options))).split())


def test_the_first_screen_states_counts_causes_and_reasons():
    words = _words(small_run())
    assert "3 dialogues 6 replies 1 group 2 systems" in words
    assert "gpt-5-mini on support-reply : scored 5 of 6 · 1 failed ( timeout 1 )" in words
    assert "claude-haiku on support-reply : scored 5 of 6 · 1 skipped ( no context 1 )" in words
    assert "No human labels have been compared" in words


def test_what_to_read_first_is_the_lowest_overall():
    words = _words(small_run())
    assert "What to read next parcel-v2 overall 0 I can't say. lowest overall of support-reply" in words
    assert (
        "longest dialogues 1 uncertain 1 failed item judges disagree 1 item with evidence not found" in words
    )


def test_every_mean_stands_beside_its_counts_bounds_and_signature():
    words = _words(small_run())
    assert "4.30 3.75 … 4.42 with the missing 80 %" in words
    assert "samples 2/3" in words
    assert "evidence not found 1" in words
    assert "judge:gpt-5-mini|rubric:support-reply@1234" in words
    assert "“no” is good; a bad answer fails the whole item" in words


def test_several_systems_stand_side_by_side_and_below_each_other():
    tree = parse(small_run().page())
    assert any(e.attrib.get("id") == "systems" for e in tree.iter("section"))
    one = make_run([parcel()], {1: BLEU}, {})
    assert 'id="systems"' not in one.page()


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"partial": "openai:m stopped: quota"}, "Incomplete run. openai:m stopped: quota."),
        ({"toy_judges": ("local:smollm2",)}, "local:smollm2 is a toy judge."),
        ({"rejected": 2}, "2 bad lines set aside."),
        ({"notes": (("ids made from the content", 4),)}, "ids made from the content: 4"),
    ],
)
def test_what_limits_the_figures_is_said(facts: dict[str, object], text: str):
    assert text in _words(small_run(**facts))


def test_a_run_without_warnings_has_none():
    assert 'class="alert warning"' not in small_run().page()


def test_time_and_cost_are_shown_where_they_are_known():
    spent = Execution(
        seconds=251, requests=812, from_cache=12, input_tokens=1200, output_tokens=30, cost=3.12
    )
    words = _words(small_run(), execution=spent)
    assert "812 requests $3.12 4 min" in words
    assert "812 sent, 12 answers from the cache; 1,200 tokens in, 30 out" in words
    assert "cost unknown" in _words(small_run(), execution=Execution(requests=3))
    assert "$" not in _words(small_run())


def test_pending_items_are_counted_and_bound_the_mean():
    run = make_run(
        [parcel()], {1: judge_columns()}, {("parcel", 5, 1): good()}, items={1: 2}, partial="interrupted"
    )
    words = _words(run)
    assert "1 scored 1 pending" in words
    assert "3.00 … 5.00 with the missing" in words


def test_nothing_scored_is_said():
    words = _words(make_run([parcel()], {}, {}))
    assert "Nothing was scored." in words


def test_metrics_alone_are_not_called_quality():
    results = {("parcel", 5, 4): (Score(50.0),), ("parcel", 5, 5): (Score(4.0),)}
    words = _words(make_run([parcel()], {4: BLEU, 5: LENGTH}, results))
    assert "bleu 50.0" in words
    assert "not how good they are" in words
    assert "Metrics are exact" in words
    described = _words(make_run([parcel()], {5: LENGTH}, {("parcel", 5, 5): (Score(4.0),)}))
    assert "How good Unknown: these metrics describe replies and don't rate them." in described
    assert "lowest words longest dialogues" in described


def test_an_undefined_mean_is_a_dash_with_its_reason():
    run = make_run([parcel()], {1: judge_columns()}, {("parcel", 5, 1): failed(Cause.REFUSAL)})
    tree = parse(run.page())
    assert "no item was scored" in attributes(tree, "title")


def test_all_links_lead_into_the_page():
    tree = parse(small_run().page())
    links = [e.attrib["href"] for e in tree.iter("a")]
    assert links
    assert all(link.startswith("#") for link in links)
    ids = set(attributes(tree, "id"))
    assert {link[1:] for link in links if "?" not in link and "/" not in link} <= ids


def test_ids_are_unique():
    ids = attributes(parse(small_run().page()), "id")
    assert len(ids) == len(set(ids))


def test_nothing_comes_from_elsewhere():
    page = small_run().page()
    assert not re.search(r"https?:|//[a-z]|url\(|@import", page.replace('"http://www.w3.org/2000/svg"', ""))
    tree = parse(page)
    assert not attributes(tree, "src")
    assert [e.attrib["href"] for e in tree.iter("link")] == ["data:,"]


def test_the_policy_names_exactly_our_script_and_style():
    tree = parse(small_run().page())
    policy = next(e.attrib["content"] for e in tree.iter("meta") if "http-equiv" in e.attrib)
    running = [e.text or "" for e in tree.iter("script") if "type" not in e.attrib]
    styles = [e.text or "" for e in tree.iter("style")]
    assert (running, styles) == ([script()], [style()])
    for text, name in ((script(), "script-src"), (style(), "style-src")):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    for part in ("default-src 'none'", "img-src data:", "base-uri 'none'", "form-action 'none'"):
        assert part in policy.split("; ")
    assert "unsafe" not in policy


def test_no_inline_handlers_or_styles():
    tree = parse(small_run().page())
    names = {name for element in tree.iter() for name in element.attrib}
    assert not [name for name in names if name.startswith("on")]
    assert "style" not in names


def test_our_scripts_never_make_markup_from_text():
    forbidden = (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "DOMParser",
    )
    for name in SCRIPTS:
        text = asset(f"js/{name}.js")
        assert not [word for word in forbidden if word in text], name
        assert "</script" not in text
        assert "<!--" not in text
    for name in STYLES:
        assert "</style" not in asset(f"css/{name}.css")


def test_equal_input_gives_equal_bytes():
    assert small_run().page() == small_run().page()


def test_table_headers_have_scopes_and_sections_have_names():
    tree = parse(small_run().page())
    assert all(element.attrib.get("scope") for element in tree.iter("th"))
    ids = set(attributes(tree, "id"))
    sections = [element.attrib["aria-labelledby"] for element in tree.iter("section")]
    assert set(sections) <= ids


def test_the_data_comes_back_as_it_was():
    run = small_run()
    blocks = islands(run.page())
    index = blocks["run-index"]
    assert [row[0] for row in index["dialogues"]] == ["parcel", "parcel-v2", "refund"]
    record = blocks["block-0"][1]
    assert record["d"]["messages"][5]["content"] == "I can't say."
    texts = {(item, column): facts for item, column, facts in record["o"]}
    assert texts[2, 0]["rationale"] == "Ignores the question."
    assert texts[2, 0]["samples"] == [1.0, 2.0, {"failed": "no_verdict"}]


def test_cells_say_value_failure_skip_level_and_nothing():
    index = islands(small_run().page())["run-index"]
    names = [(column["scorer"], column["criterion"]) for column in index["columns"]]
    items = {row[0]: {item[0]: item[2] for item in row[7]} for row in index["dialogues"]}
    at = names.index(("gpt-5-mini", "helpfulness"))
    assert items["parcel-v2"][5][at] == 1.5
    assert items["refund"][5][at] == [1, index["causes"].index("timeout")]
    assert items["refund"][3][names.index(("claude-haiku", "helpfulness"))] == [
        2,
        index["reasons"].index("no_context"),
    ]
    topic = names.index(("gpt-5-mini", "topic"))
    assert items["refund"][-1][topic] == [0, 0]
    assert items["refund"][5][topic] == []


def test_simple_metadata_becomes_facets():
    talks = [parcel("a"), parcel("b", "v2")]
    run = make_run(talks, {4: BLEU}, {})
    assert islands(run.page())["run-index"]["facets"] == []
    talks[1].metadata["lang"] = "de"  # type: ignore[index]
    facets = islands(make_run(talks, {4: BLEU}, {}).page())["run-index"]["facets"]
    assert facets == [{"key": "lang", "values": ["de", "en"]}]


def test_outcomes_that_belong_to_no_dialogue_are_an_error():
    run = small_run()
    with pytest.raises(ValueError, match="don't follow the order"):
        list(report_page(run.analysis, run.columns, run.stored[1:], run.rows))


def test_whole_numbers_that_scripts_would_round_stay_exact():
    talk = parcel()
    talk.metadata["order"] = 12345678901234567890  # type: ignore[index]
    record = islands(make_run([talk], {}, {}).page())["block-0"][0]
    assert record["d"]["metadata"]["order"] == "12345678901234567890"


def test_skips_and_failures_are_explained():
    run = make_run(
        [parcel()], {1: judge_columns()}, {("parcel", 5, 1): skipped(), ("parcel", 3, 1): failed()}
    )
    words = _words(run)
    assert "skipped no context There are no context documents." in words
    assert "failed timeout No answer within the time allowed, tries included." in words


def test_scorers_are_compared_with_each_other():
    tree = parse(small_run().page())
    section = next(e for e in tree.iter("section") if e.attrib.get("id") == "between")
    words = " ".join("".join(section.itertext()).split())
    assert "Scorers against each other" in words
    assert "columns by turn" in words


def test_what_each_judge_took_is_told():
    cost = JudgeCost(
        "<one>", "r", 182, 146, (("rate_limited", 6),), 20, "$0.0100", 3, 9, 1_000, 400, 50, "", "3.0 s"
    )
    words = _words(small_run(), execution=Execution(judges=(cost,)))
    assert "Cost and time" in words
    assert "<one> r 182 146 rate limited 6 20 at most $0.0100 3 9 1,000 400 50 unpriced 3.0 s" in words
    assert "Cost and time" not in _words(small_run(), execution=Execution())
