"""Citations are checked against what was shown."""

from __future__ import annotations

import pytest

from evalharness.core.scores import Evidence
from evalharness.judges.answers import Citation
from evalharness.judges.evidence import MAX_EVIDENCE, checked, holds

SOURCES = {
    "M0": "Where is my parcel?",
    "M1": "It will\n arrive on “Monday”, I think.",
    "D1": "Parcels take 3 days.",
}


@pytest.mark.parametrize("part", ["M1", "[M1]", " m1 ", "1", "[M1 call 2]"])
def test_a_quotation_is_found_whatever_its_spaces_case_and_quotation_marks(part):
    (evidence,) = checked([Citation(part, 'it will arrive on "Monday"')], "", SOURCES)
    assert evidence == Evidence(1, 'it will arrive on "Monday"', True)


@pytest.mark.parametrize(
    ("part", "quote", "expected"),
    [
        ("M1", "on Tuesday", Evidence(1, "on Tuesday", False)),
        ("M0", "arrive", Evidence(0, "arrive", False)),
        ("M7", "", Evidence(7, "", False)),
        ("M1", "", Evidence(1, "", True)),
        ("D1", "take 3 days", Evidence(None, "take 3 days", True, 1)),
        ("D2", "take 3 days", Evidence(None, "take 3 days", False, 2)),
        ("the second message", "arrive on", Evidence(1, "arrive on", True)),
        ("the leaflet", "parcels take", Evidence(None, "parcels take", True, 1)),
        ("the second message", "nowhere", Evidence(None, "nowhere", False)),
        ("", "", Evidence(None, "", False)),
        ("M00000001", "", Evidence(None, "", False)),
    ],
)
def test_what_is_found_and_what_is_not(part, quote, expected):
    assert checked([Citation(part, quote)], "", SOURCES) == (expected,)


def test_words_left_out_must_come_in_order():
    assert holds(SOURCES["M1"], "It will … I think")
    assert holds(SOURCES["M1"], "“It will ... monday”")
    assert not holds(SOURCES["M1"], "I think … It will")
    assert not holds(SOURCES["M1"], "…")


def test_messages_named_in_the_rationale_are_checked_once():
    found = checked([Citation("M1", "arrive")], "[M1] says so, [M0] asks, [M9] and [M9] don't exist", SOURCES)
    assert [(e.message, e.quote, e.found) for e in found] == [
        (1, "arrive", True),
        (0, "", True),
        (9, "", False),
    ]


def test_very_many_citations_are_cut():
    assert len(checked([Citation("M1", "")] * 100, "[M0] " * 100, SOURCES)) == MAX_EVIDENCE


def test_lone_surrogates_of_a_judge_can_be_stored():
    assert checked([Citation("M1", "a\ud800")], "", SOURCES)[0].quote == "a\ufffd"
