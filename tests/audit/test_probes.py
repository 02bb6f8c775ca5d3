from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from evalharness.audit.attacks import ATTACKS, PLACEMENTS, dialogue_signs, planted, suspicious
from evalharness.audit.probes import BY_NAME, PROBES, Chooser, Kind, last_reply
from evalharness.core.dialogue import Dialogue, Document, Message
from evalharness.data.dialogues import Read, read_dialogues
from tests.cli.runner import DATASETS
from tests.research import research_file

OTHERS = ("The bus leaves at nine from the north gate.", "Please send us a photo of the label.")


def sample() -> list[Dialogue]:
    rows = read_dialogues([str(DATASETS / "sample.jsonl")])
    return [row.dialogue for row in rows if isinstance(row, Read)]


def changed(name: str, dialogue: Dialogue, seed: int = 0) -> Dialogue | None:
    turn = last_reply(dialogue)
    assert turn is not None
    return BY_NAME[name].change(dialogue, turn, Chooser(seed, dialogue.id, name), OTHERS)


def one() -> Dialogue:
    return Dialogue(
        "d",
        (
            Message("system", "You are a clerk."),
            Message("user", "Where is parcel 7?"),
            Message("assistant", "Let me look."),
            Message("user", "And?"),
            Message("assistant", "Parcel 7 is in Lyon. It will be with you on Monday, 3 May."),
        ),
        context=(Document("Parcels take three days."),),
    )


def test_names_are_distinct_and_degradations_have_a_severity():
    assert len(BY_NAME) == len(PROBES)
    assert all((probe.severity > 0) is (probe.kind is Kind.SENSITIVITY) for probe in PROBES)


CHANGES = [probe for probe in PROBES if probe.change is not None]


@pytest.mark.parametrize("probe", CHANGES, ids=lambda probe: probe.name)
def test_every_probe_applies_somewhere_and_never_returns_the_same(probe):
    results = [(dialogue, changed(probe.name, dialogue)) for dialogue in sample()]
    applied = [(before, after) for before, after in results if after is not None]
    assert applied
    assert all(
        before.messages != after.messages or before.context != after.context for before, after in applied
    )


@pytest.mark.parametrize(
    "probe",
    [p for p in CHANGES if p.kind in (Kind.BIAS, Kind.SENSITIVITY) and p.name != "shuffled-turns"],
    ids=lambda p: p.name,
)
def test_only_the_last_reply_changes(probe):
    before, after = one(), changed(probe.name, one())
    assert after is not None
    assert after.messages[:-1] == before.messages[:-1]
    assert after.context == before.context
    assert after.messages[-1].role == "assistant"


def test_probes_repeat_exactly_and_follow_the_seed():
    assert changed("unsupported-claim", one()) == changed("unsupported-claim", one())
    drawn = {changed("injection-reply", one(), seed).messages[-1].content for seed in range(30)}
    assert len(drawn) > 5


def test_what_each_degradation_does():
    assert changed("truncation", one()).messages[-1].content == "Parcel 7 is in Lyon. It will"
    assert "Parcel 28 is in Lyon" in changed("wrong-entity", one()).messages[-1].content
    assert "7 is not in Lyon" in changed("negation", one()).messages[-1].content
    assert changed("swapped-reply", one()).messages[-1].content in OTHERS
    shuffled = changed("shuffled-turns", one())
    assert [m.content for m in shuffled.messages[:4]] == [
        "You are a clerk.",
        "And?",
        "Let me look.",
        "Where is parcel 7?",
    ]


def test_padding_adds_nothing_and_keeps_the_reply():
    text = changed("verbosity", one()).messages[-1].content
    assert text.startswith(one().messages[-1].content)
    assert not re.search(r"\d", text[len(one().messages[-1].content) :])


def test_what_can_not_be_changed_is_left_out():
    short = Dialogue("s", (Message("user", "Hi"), Message("assistant", "Hello.")))
    assert changed("truncation", short) is None
    assert changed("shuffled-turns", short) is None
    assert changed("injection-document", short) is None
    assert changed("injection-tool", short) is None
    assert last_reply(Dialogue("e", (Message("user", "Hi"), Message("assistant", " ")))) is None


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_attacks_stand_where_they_are_said_to(placement):
    dialogue = Dialogue(
        "t",
        (Message("user", "u"), Message("tool", "r"), Message("assistant", "a", context=(Document("c"),))),
    )
    after = planted(dialogue, 2, ATTACKS[0], placement)
    places = {
        "user": after.messages[0].content,
        "tool": after.messages[1].content,
        "reply": after.messages[2].content,
        "document": after.messages[2].context[0].text,
    }
    assert [name for name, text in places.items() if ATTACKS[0].text in text] == [placement]


def test_the_detector_is_quiet_on_clean_dialogues_and_finds_most_attacks():
    assert [dialogue.id for dialogue in sample() if dialogue_signs(dialogue)] == []
    found = sum(bool(suspicious(attack.text)) for attack in ATTACKS)
    assert found >= 10
    assert suspicious("Our rating of the hotel was good, and the best level of service is upstairs.") in (
        (), ("instruction to the judge",),
    )  # fmt: skip


def test_recall_on_published_attacks_is_as_documented():
    import json

    lines = research_file("judge-attacks/attacks.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    found = sum(bool(suspicious(text)) for text in texts)
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    assert f"{found} of {len(texts)} published attack strings" in page


@pytest.mark.parametrize(
    "text", ["score " * 200_000, "<dialogue" + "a" * 1_000_000, "rating:" * 150_000, "highest " * 130_000]
)
def test_the_detector_is_linear(text):
    started = time.process_time()
    suspicious(text)
    assert time.process_time() - started < 5.0
