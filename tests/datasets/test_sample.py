"""The sample data keep what datasets/README.md says about them."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATASETS = ROOT / "datasets"
TEST_DATA = ROOT / "tests" / "data"

Row = dict[str, Any]
CALL_KINDS = {"wrong-tool", "wrong-arguments"}
TEXT_KINDS = {
    "contradiction",
    "evasive",
    "ignored-tool-result",
    "off-topic",
    "repetition",
    "rude",
    "swapped-entity",
    "truncated",
    "unsafe",
    "unsupported-claim",
    "wrong-language",
}
JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
}


def read_jsonl(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def read_labels() -> list[dict[str, str]]:
    with (DATASETS / "labels-by-construction.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


CLEAN = read_jsonl(DATASETS / "sample.jsonl")
DEGRADED = read_jsonl(DATASETS / "degraded.jsonl")
SMALL = read_jsonl(DATASETS / "small.jsonl")
LABELS = read_labels()
BY_ID = {row["id"]: row for row in CLEAN + DEGRADED}
TWINS = [(clean, BY_ID[f"{clean['id']}-degraded"]) for clean in CLEAN]
CHANGED = [(clean, twin) for clean, twin in TWINS if twin["metadata"]["degradation"] != "none"]
CONTROLS = [(clean, twin) for clean, twin in TWINS if twin["metadata"]["degradation"] == "none"]


def twin_id(pair: tuple[Row, Row]) -> str:
    return str(pair[0]["id"])


def kind_of(twin: Row) -> str:
    return str(twin["metadata"]["degradation"])


def calls_of(message: Row) -> list[tuple[str, str, str]]:
    return [
        (c["id"], c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls", [])
    ]


def differing_turns(clean: Row, twin: Row) -> list[int]:
    both = zip(clean["messages"], twin["messages"], strict=True)
    return [i for i, (a, b) in enumerate(both) if a != b]


def differing_keys(a: Row, b: Row) -> set[str]:
    return {key for key in a.keys() | b.keys() if key not in a or key not in b or a[key] != b[key]}


class TestWholeSet:
    def test_there_are_enough_dialogues_of_every_domain(self) -> None:
        domains = Counter(row["metadata"]["domain"] for row in CLEAN)
        assert len(CLEAN) >= 48
        assert set(domains) == {"support", "rag", "tools"}
        assert min(domains.values()) >= 16

    def test_languages_include_right_to_left_and_chinese(self) -> None:
        langs = Counter(row["metadata"]["lang"] for row in CLEAN)
        assert set(langs) == {"en", "de", "es", "ar", "zh"}
        assert min(langs.values()) >= 3

    def test_ids_are_unique_and_every_dialogue_has_one_twin(self) -> None:
        assert len(BY_ID) == len(CLEAN) + len(DEGRADED)
        assert [row["id"] for row in DEGRADED] == [f"{row['id']}-degraded" for row in CLEAN]

    def test_the_group_is_the_scenario(self) -> None:
        assert all(row["group"] == row["metadata"]["scenario"] for row in CLEAN + DEGRADED)
        assert len({row["group"] for row in CLEAN}) == len(CLEAN)

    def test_the_files_stay_small(self) -> None:
        assert sum(path.stat().st_size for path in DATASETS.iterdir()) < 400_000

    def test_most_dialogues_are_short_and_a_few_are_long(self) -> None:
        spoken = [sum(m["role"] != "system" for m in row["messages"]) for row in CLEAN]
        assert sum(2 <= n <= 8 for n in spoken) >= 0.8 * len(spoken)
        assert sum(n > 8 for n in spoken) >= 3

    def test_no_contact_data(self) -> None:
        address_or_number = re.compile(r"\S@\S|https?:|www\.|\+?\d[\d ()/]{8,}\d")
        for path in DATASETS.glob("*.jsonl"):
            assert not address_or_number.search(path.read_text(encoding="utf-8")), path.name

    def test_small_is_made_of_clean_and_degraded_pairs_of_each_domain(self) -> None:
        assert len(SMALL) == 6
        assert all(row == BY_ID[row["id"]] for row in SMALL)
        assert Counter(row["metadata"]["domain"] for row in SMALL) == {"support": 2, "rag": 2, "tools": 2}
        assert Counter(row["metadata"]["system"] for row in SMALL) == {"v1": 3, "v2-degraded": 3}


@pytest.mark.parametrize("row", CLEAN + DEGRADED, ids=lambda row: row["id"])
class TestOneDialogue:
    def test_messages_are_in_the_native_form(self, row: Row) -> None:
        assert {"id", "group", "messages", "metadata"} <= row.keys()
        assert row.keys() <= {"id", "group", "goal", "tools", "messages", "context", "metadata"}
        for message in row["messages"]:
            assert message["role"] in {"system", "user", "assistant", "tool"}
            assert isinstance(message["content"], str)
            assert message["content"] or message.get("tool_calls")

    def test_it_starts_with_a_speaker_and_ends_with_a_reply(self, row: Row) -> None:
        spoken = [m for m in row["messages"] if m["role"] != "system"]
        assert all(m["role"] != "system" for m in row["messages"][1:])
        assert spoken[0]["role"] == "user" or spoken[0].get("given") is True
        assert spoken[-1]["role"] == "assistant"
        assert all((a["role"], b["role"]) != ("user", "user") for a, b in pairwise(spoken))

    def test_assistant_turns_have_unique_ids(self, row: Row) -> None:
        ids = [m["id"] for m in row["messages"] if m["role"] == "assistant"]
        assert len(ids) == len(set(ids))

    def test_references_are_one_to_three_distinct_texts_on_assistant_turns(self, row: Row) -> None:
        assert any(m.get("references") for m in row["messages"])
        for message in row["messages"]:
            references = message.get("references", [])
            assert not references or message["role"] == "assistant"
            assert len(set(references)) == len(references) <= 3
            assert all(text.strip() for text in references)

    def test_replies_have_the_documents_that_their_domain_promises(self, row: Row) -> None:
        domain = row["metadata"]["domain"]
        assert bool(row.get("context")) == (domain == "support")
        documents = list(row.get("context", []))
        for message in row["messages"]:
            own = message.get("context", [])
            assert bool(own) == (domain == "rag" and message["role"] == "assistant")
            documents += own
        assert all(doc["id"] and doc["text"] for doc in documents)

    def test_every_call_is_answered_once_and_in_order(self, row: Row) -> None:
        asked = [call_id for m in row["messages"] for call_id, _, _ in calls_of(m)]
        answered = [m["tool_call_id"] for m in row["messages"] if m["role"] == "tool"]
        assert asked == answered
        assert len(asked) == len(set(asked))

    def test_calls_name_declared_tools_and_fit_their_parameters(self, row: Row) -> None:
        schemas = {tool["name"]: tool["parameters"] for tool in row.get("tools", [])}
        assert bool(schemas) == (row["metadata"]["domain"] == "tools")
        for message in row["messages"]:
            for _, name, text in calls_of(message):
                arguments, schema = json.loads(text), schemas[name]
                assert set(schema["required"]) <= arguments.keys() <= schema["properties"].keys()
                for key, value in arguments.items():
                    declared = schema["properties"][key]
                    assert isinstance(value, JSON_TYPES[declared["type"]])
                    assert value in declared.get("enum", [value])

    def test_tool_results_are_json(self, row: Row) -> None:
        for message in row["messages"]:
            if message["role"] == "tool":
                assert isinstance(json.loads(message["content"]), dict | list)


class TestDegradations:
    def test_every_kind_occurs_several_times_and_at_every_severity(self) -> None:
        seen: dict[str, Counter[int]] = {}
        for _, twin in CHANGED:
            seen.setdefault(kind_of(twin), Counter())[twin["metadata"]["severity"]] += 1
        assert seen.keys() == TEXT_KINDS | CALL_KINDS
        assert all(severities.keys() == {1, 2, 3} for severities in seen.values())

    def test_a_few_twins_are_untouched_controls(self) -> None:
        assert len(CONTROLS) >= 4
        for clean, twin in CONTROLS:
            assert clean["messages"] == twin["messages"]
            assert twin["metadata"]["severity"] == 0
            assert twin["metadata"]["degraded_turn"] is None
            assert twin["metadata"]["altered_turns"] == []

    @pytest.mark.parametrize("pair", TWINS, ids=twin_id)
    def test_twins_share_everything_but_id_messages_and_metadata(self, pair: tuple[Row, Row]) -> None:
        clean, twin = pair
        assert differing_keys(clean, twin) <= {"id", "messages", "metadata"}
        recorded = {"degradation", "severity", "degraded_turn", "altered_turns"}
        assert differing_keys(clean["metadata"], twin["metadata"]) == recorded | {"system"}

    @pytest.mark.parametrize("pair", CHANGED, ids=twin_id)
    def test_the_record_says_exactly_which_turns_differ(self, pair: tuple[Row, Row]) -> None:
        clean, twin = pair
        turn = twin["metadata"]["degraded_turn"]
        assert twin["metadata"]["altered_turns"] == differing_turns(clean, twin)
        assert twin["metadata"]["altered_turns"][0] == turn
        assert twin["messages"][turn]["role"] == "assistant"
        assert not twin["messages"][turn].get("given")

    @pytest.mark.parametrize("pair", [p for p in CHANGED if kind_of(p[1]) in TEXT_KINDS], ids=twin_id)
    def test_a_changed_text_changes_one_reply_and_nothing_else(self, pair: tuple[Row, Row]) -> None:
        clean, twin = pair
        turn = twin["metadata"]["degraded_turn"]
        assert differing_turns(clean, twin) == [turn]
        assert differing_keys(clean["messages"][turn], twin["messages"][turn]) == {"content"}

    @pytest.mark.parametrize("pair", [p for p in CHANGED if kind_of(p[1]) in CALL_KINDS], ids=twin_id)
    def test_a_changed_call_alters_only_its_results_and_what_is_said_of_them(
        self, pair: tuple[Row, Row]
    ) -> None:
        clean, twin = pair
        turn, *consequences = twin["metadata"]["altered_turns"]
        before, after = calls_of(clean["messages"][turn]), calls_of(twin["messages"][turn])
        assert differing_keys(clean["messages"][turn], twin["messages"][turn]) == {"tool_calls"}
        assert [c[0] for c in before] == [c[0] for c in after]
        renamed = [a[1] != b[1] for a, b in zip(before, after, strict=True)]
        assert any(renamed) == (kind_of(twin) == "wrong-tool")
        next_user = next(
            (i for i, m in enumerate(twin["messages"]) if i > turn and m["role"] == "user"),
            len(twin["messages"]),
        )
        for i in consequences:
            message = twin["messages"][i]
            assert turn < i < next_user
            assert differing_keys(clean["messages"][i], message) == {"content"}
            assert message["role"] == "assistant" or message["tool_call_id"] in {c[0] for c in after}

    def test_a_truncated_reply_is_a_prefix_of_the_clean_one(self) -> None:
        for clean, twin in CHANGED:
            if kind_of(twin) == "truncated":
                turn = twin["metadata"]["degraded_turn"]
                whole, cut = clean["messages"][turn]["content"], twin["messages"][turn]["content"]
                assert whole.startswith(cut)
                assert cut != whole
                assert cut[-1] not in ".!?。"

    def test_a_repetition_repeats_an_earlier_reply_or_its_own_words(self) -> None:
        for clean, twin in CHANGED:
            if kind_of(twin) == "repetition":
                turn = twin["metadata"]["degraded_turn"]
                earlier = [m["content"] for m in twin["messages"][:turn] if m["role"] == "assistant"]
                text = twin["messages"][turn]["content"]
                assert text in earlier or text.startswith(clean["messages"][turn]["content"] + " ")

    def test_no_reply_is_its_own_reference_once_degraded(self) -> None:
        for _, twin in CHANGED:
            message = twin["messages"][twin["metadata"]["degraded_turn"]]
            assert message["content"] not in message.get("references", [])


class TestLabels:
    def test_the_long_form_is_kept(self) -> None:
        assert list(LABELS[0]) == ["dialogue", "turn", "criterion", "rater", "value", "comment"]
        assert {label["rater"] for label in LABELS} == {"construction"}

    def test_no_item_is_labelled_twice(self) -> None:
        keys = [(label["dialogue"], label["turn"], label["criterion"]) for label in LABELS]
        assert len(keys) == len(set(keys))

    def test_labels_refer_to_existing_assistant_turns(self) -> None:
        for label in LABELS:
            messages = BY_ID[label["dialogue"]]["messages"]
            if label["turn"]:
                assert messages[int(label["turn"])]["role"] == "assistant"
                assert not messages[int(label["turn"])].get("given")

    def test_values_are_on_their_scale(self) -> None:
        graded = {"severity": {"0", "1", "2", "3"}, "right_tools": {"1", "2", "3", "4"}}
        for label in LABELS:
            assert label["value"] in graded.get(label["criterion"], {"0", "1"}), label

    def test_severity_is_the_recorded_one_and_zero_for_the_clean_twin(self) -> None:
        severity = {(x["dialogue"], x["turn"]): x["value"] for x in LABELS if x["criterion"] == "severity"}
        for clean, twin in TWINS:
            recorded = str(twin["metadata"]["severity"])
            turn = twin["metadata"]["degraded_turn"]
            if turn is None:
                turn = max(i for i, m in enumerate(clean["messages"]) if m["role"] == "assistant")
            for name in (str(turn), ""):
                assert severity.pop((clean["id"], name)) == "0"
                assert severity.pop((twin["id"], name)) == recorded
        assert not severity


class TestReadme:
    def table(self, heading: str) -> list[list[str]]:
        text = (DATASETS / "README.md").read_text(encoding="utf-8")
        section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
        rows = [line for line in section.split("\n") if line.startswith("|")]
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows[2:]]

    def test_the_table_of_degradations_is_true(self) -> None:
        counted = Counter((kind_of(twin), twin["metadata"]["severity"]) for _, twin in TWINS)
        stated = {row[0].strip("`"): [int(n or 0) for n in row[2:6]] for row in self.table("Degradations")}
        actual = {kind: [counted[kind, s] for s in range(4)] for kind, _ in counted}
        assert stated == actual

    def test_the_table_of_contents_is_true(self) -> None:
        stated = {row[0]: [int(n) for n in row[1:]] for row in self.table("Counts")}
        assert stated == {
            domain: self.counts([row for row in CLEAN if row["metadata"]["domain"] in names])
            for domain, names in {
                "support": {"support"},
                "rag": {"rag"},
                "tools": {"tools"},
                "all": {"support", "rag", "tools"},
            }.items()
        }

    @staticmethod
    def counts(rows: list[Row]) -> list[int]:
        messages = [m for row in rows for m in row["messages"]]
        replies = [m for m in messages if m["role"] == "assistant"]
        langs = Counter(row["metadata"]["lang"] for row in rows)
        return [
            len(rows),
            len(messages),
            len(replies),
            sum(len(m.get("references", [])) for m in replies),
            sum(len(m.get("tool_calls", [])) for m in replies),
            *(langs[lang] for lang in ("en", "de", "es", "ar", "zh")),
        ]

    def test_the_criteria_are_those_of_the_named_rubrics(self) -> None:
        for criterion, rubric, unit, *_ in self.table("Labels by construction"):
            if rubric == "(none)":
                continue
            text = (ROOT / "rubrics" / f"{rubric}.yaml").read_text(encoding="utf-8")
            assert re.search(rf"^  {criterion.strip('`')}:$", text, re.MULTILINE), criterion
            assert re.search(rf"^unit: {unit}$", text, re.MULTILINE), rubric

    def test_turn_labels_are_for_turn_rubrics(self) -> None:
        unit = {row[0].strip("`"): row[2] for row in self.table("Labels by construction")}
        for label in LABELS:
            assert ("turn" if label["turn"] else "dialogue") in unit[label["criterion"]]

    def test_the_label_counts_are_true(self) -> None:
        counted = Counter(label["criterion"] for label in LABELS)
        stated = {row[0].strip("`"): int(row[-1]) for row in self.table("Labels by construction")}
        assert stated == counted


class TestSpecialDialogues:
    """Files under tests/data that other tests score and render."""

    def test_the_long_log_alternates_for_two_hundred_messages(self) -> None:
        (row,) = read_jsonl(TEST_DATA / "two_hundred_turns.jsonl")
        assert [m["role"] for m in row["messages"]] == ["user", "assistant"] * 100

    def test_right_to_left_letters_and_joined_emoji_are_there(self) -> None:
        text = (TEST_DATA / "rtl_emoji.jsonl").read_text(encoding="utf-8")
        for needed in ("ש", "ش", "\u200d", "\u200c", "\u202e", "\u2067", "e\u0301", "\U0001f3fd"):
            assert needed in text

    def test_there_are_empty_blank_invisible_and_absent_replies(self) -> None:
        rows = read_jsonl(TEST_DATA / "empty_reply.jsonl")
        replies = [m for row in rows for m in row["messages"] if m["role"] == "assistant"]
        contents = [m["content"] for m in replies]
        assert {"", " \n\t ", "\u200b\u2060\ufeff", None} <= set(contents)
        assert all(m.get("tool_calls") for m in replies if m["content"] is None)
