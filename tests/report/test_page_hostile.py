"""Whatever stands in the data, the page keeps its form: no text becomes an element, an attribute or a script."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from evalharness.core.scores import Cause, SkipReason
from evalharness.core.text import has_invisible
from evalharness.report.html.island import island_json
from evalharness.report.html.meanings import MEANINGS
from tests.report.page_dom import islands, parse, shape, visible_text
from tests.report.page_hostile import hostile_page, hostile_run
from tests.report.payloads import PAYLOADS

_BATCH = 40


def _batches() -> list[tuple[str, ...]]:
    return [PAYLOADS[i : i + _BATCH] for i in range(0, len(PAYLOADS), _BATCH)]


def _harmless(payloads: Sequence[str]) -> list[str]:
    """Plain words; hidden characters stay hidden characters, as the page counts dialogues that have them."""
    return [f"word{n}\u200b" if has_invisible(text) else f"word{n}" for n, text in enumerate(payloads)]


def test_there_are_payloads_enough():
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 1000


def _check(payloads: Sequence[str]) -> None:
    page = hostile_page(payloads)
    plain = hostile_page(_harmless(payloads))
    assert shape(parse(page)) == shape(parse(plain))
    index = islands(page)["run-index"]
    assert sorted(row[0] for row in index["dialogues"]) == sorted(
        f"{n:05d}{text}" for n, text in enumerate(payloads)
    )


@pytest.mark.parametrize("first", [0, 7, 13])
def test_the_tree_is_that_of_a_harmless_run(first: int):
    _check(tuple(PAYLOADS[first :: len(PAYLOADS) // 25]))


@pytest.mark.slow
@pytest.mark.parametrize("payloads", _batches())
def test_the_tree_is_that_of_a_harmless_run_for_every_payload(payloads: tuple[str, ...]):
    _check(payloads)


@pytest.mark.parametrize("payloads", _batches())
def test_every_payload_comes_back_from_the_data_as_it_was(payloads: Sequence[str]):
    blocks = islands(hostile_run(payloads).page(title="t"))
    records = [record for name, block in blocks.items() if name.startswith("block-") for record in block]
    assert sorted(record["d"]["id"] for record in records) == [
        f"{n:05d}{text}" for n, text in enumerate(payloads)
    ]
    assert [record["d"]["goal"] for record in sorted(records, key=lambda r: str(r["d"]["id"]))] == list(
        payloads
    )
    said = {facts["rationale"] for record in records for _, _, facts in record["o"] if "rationale" in facts}
    assert said == set(payloads)


@pytest.mark.parametrize(
    "text", ["</script>", "<!--<script>", "\u2028\u2029", "\ud800 \udfff", "\x00\x1b", "\U000e0041"]
)
def test_island_text_is_inert_and_equal(text: str):
    written = island_json({text: [text]})
    assert json.loads(written) == {text: [text]}
    assert not set(written) & set("<>&\u2028\u2029\x00")
    written.encode("utf-8")


def test_hidden_characters_are_written_out():
    words = visible_text(parse(hostile_run(["\u202edessert\u202c\u200b"]).page(title="a\u202eb")))
    assert "<U+202E>dessert<U+202C><U+200B>" in words
    assert "a<U+202E>b" in words
    assert "\u202e" not in hostile_run(["\u202e"]).page(title="\u202e")


def test_every_cause_and_reason_has_a_meaning():
    assert {cause.value for cause in Cause} | {reason.value for reason in SkipReason} <= set(MEANINGS)
