"""Checks of text, JSON, tools and own Python: their answers, reasons, and limits."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.dialogue import Dialogue, Item, Message, ToolCall, Unit
from evalharness.core.metric import Metric
from evalharness.core.scores import Cause, Failure, Result, Score, Skip, SkipReason
from evalharness.errors import UsageError
from evalharness.metrics import check_text
from evalharness.metrics.check_json import unfenced
from evalharness.metrics.check_tools import difference
from evalharness.metrics.reference import MAX_CHARACTERS
from evalharness.metrics.spec import parse_metrics
from tests.metrics.replies import texts, turn


def result(spec: str, item: Item) -> Result:
    (metric,) = parse_metrics([spec])
    ((found,),) = metric.score_many([item])
    return found


def passes(spec: str, reply: str) -> bool:
    found = result(spec, turn(reply))
    assert isinstance(found, Score)
    return found.value == 1.0


def reason(spec: str, reply: str) -> str | None:
    found = result(spec, turn(reply))
    assert isinstance(found, Score)
    assert found.value == 0.0
    return found.rationale


def agent(*calls: tuple[str, object]) -> Item:
    made = tuple(
        ToolCall(name, arguments if isinstance(arguments, str) else json.dumps(arguments))
        for name, arguments in calls
    )
    given_call = Message("assistant", "", tool_calls=(ToolCall("history", "{}"),), given=True)
    return Item(
        Dialogue("d", (given_call, Message("user", "?"), Message("assistant", "Done.", tool_calls=made)))
    )


@pytest.mark.parametrize(
    ("spec", "reply", "passed"),
    [
        ("contains:refund", "Your refund is on its way", True),
        ("contains:refund", "Your Refund", False),
        ("contains(ignore_case=true):refund", "Your REFUND", True),
        ("contains:a, b", "x a, b y", True),
        ("not-contains:sorry", "Fine", True),
        ("not-contains:sorry", "so sorry", False),
        ("regex:^\\d{3}$", "123", True),
        ("regex:^\\d{3}$", "1234", False),
        ("regex(ignore_case=true):hello", "HELLO", True),
        ("not-regex:\\bfool\\b", "a fool", False),
        ("max-words:3", "a b c", True),
        ("max-words:3", "a b c d", False),
        ("min-words: 2", "你好", True),
        ("max-chars:2", "ab", True),
        ("min-chars:3", "ab", False),
        ("json", ' {"a": [1, 2.5, null]} ', True),
        ("json", "Sure! {}", False),
        ("json", '{"a": 1, "a": 2}', False),
        ("json", "NaN", False),
        ("json", "", False),
        ("json", "[" * 100_000, False),
        ("json", "```json\n{}\n```", False),
        ("json(fenced=true)", "```json\n{}\n```", True),
        ("json(fenced=true)", "{}", True),
    ],
)
def test_answers(spec: str, reply: str, passed: bool) -> None:
    assert passes(spec, reply) is passed


def test_reasons_are_short_and_visible() -> None:
    assert reason("contains:refund", "no") == "does not contain “refund”"
    assert reason("not-contains:no", "no") == "contains “no”"
    assert reason("not-regex:.+", "\x1b[31m" + "x" * 500) == "matches: “\\x1b[31m" + "x" * 71 + "…”"
    assert reason("regex:x", "no") == "“x” matches nowhere"
    assert reason("max-words:1", "two words") == "2 words"
    assert reason("min-chars:9", "two words"[:8]) == "8 characters"
    assert str(reason("json", "{")).startswith("no JSON: ")


def test_a_dialogue_is_checked_over_the_agents_own_replies() -> None:
    messages = (
        Message("assistant", "hello", given=True),
        Message("user", "refund"),
        Message("assistant", "one"),
        Message("assistant", "two"),
    )
    item = Item(Dialogue("d", messages))
    for spec, passed in [("contains(unit=dialogue):one\ntwo", 1.0), ("contains(unit=dialogue):hello", 0.0),
                         ("contains(unit=dialogue):refund", 0.0), ("max-words(unit=dialogue):2", 1.0)]:  # fmt: skip
        (metric,) = parse_metrics([spec])
        assert metric.unit is metric.columns[0].unit is Unit.DIALOGUE
        found = result(spec, item)
        assert isinstance(found, Score)
        assert found.value == passed


def test_a_pattern_that_backtracks_for_ever_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_text, "MATCH_SECONDS", 0.02)
    found = result("regex:^(a|a)*$", turn("a" * 60 + "b"))
    assert isinstance(found, Failure)
    assert found.cause is Cause.TIMEOUT


def test_giant_texts_fail() -> None:
    giant = turn("x" * (MAX_CHARACTERS + 1))
    for spec in ("regex:x", "max-words:3", "json"):
        found = result(spec, giant)
        assert isinstance(found, Failure)
        assert found.cause is Cause.TOO_LONG
    assert isinstance(result("max-chars:3", giant), Score)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("contains:", "names no text"),
        ("regex:(", "no regular expression"),
        ("max-words:many", "whole number"),
        ("max-words:-1", "negative"),
        ("max-words", "whole number"),
        ("json:x", "nothing after a colon"),
        ("json(unit=dialogue)", "looks at replies"),
        ("json-schema:", "names no file"),
        ("json-schema:/no/such/file.json", "can't read"),
        ("tool:", "names no tool"),
        ("tool:x {", "no JSON"),
        ("tool:x [1]", "no object"),
        ("contains(unit=reply):x", "turn or dialogue"),
        ("contains(must=maybe):x", "true or false"),
        ("python:nothing", "names no function"),
        ("python:no_such_module.f", "can't be loaded"),
        ("python:math.no_such_function", "can't be loaded"),
        ("python:math.pi", "is no function"),
    ],
)
def test_checks_that_do_not_fit(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_metrics([spec])


# --- JSON Schema -----------------------------------------------------------------------------------------------------


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "reply.schema.json"
    path.write_text(
        json.dumps({
            "type": "object",
            "required": ["order"],
            "properties": {"order": {"type": "integer"}, "code": {"type": "string", "pattern": "^(a|a)*$"}},
        }),
        encoding="utf-8",
    )  # fmt: skip
    return path


def test_replies_are_checked_against_a_schema(schema: Path) -> None:
    assert passes(f"json-schema:{schema}", '{"order": 7, "code": "aa"}')
    assert reason(f"json-schema:{schema}", '{"order": "7"}') == "$.order: '7' is not of type 'integer'"
    assert (
        reason(f"json-schema:{schema}", '{"order": 7, "code": "b"}')
        == "$.code: 'b' does not match '^(a|a)*$'"
    )
    assert str(reason(f"json-schema:{schema}", "order 7")).startswith("no JSON")


def test_a_pattern_of_the_schema_that_backtracks_is_a_failure(
    schema: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalharness.metrics.check_json.MATCH_SECONDS", 0.02)
    found = result(f"json-schema:{schema}", turn(json.dumps({"order": 1, "code": "a" * 60 + "b"})))
    assert isinstance(found, Failure)
    assert found.cause is Cause.TIMEOUT


def test_the_schema_is_part_of_the_signature(schema: Path) -> None:
    (before,) = parse_metrics([f"json-schema(name=s):{schema}"])
    schema.write_text('{"type": "object"}', encoding="utf-8")
    (after,) = parse_metrics([f"json-schema(name=s):{schema}"])
    assert before.columns[0].signature != after.columns[0].signature


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"type": "objct"}', "no JSON Schema"),
        ("{", "can't read"),
        ('{"type": "object", "type": "array"}', "twice"),
    ],
)
def test_files_that_are_no_schema(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        parse_metrics([f"json-schema:{path}"])


@pytest.mark.parametrize("reference", ["http://127.0.0.1:9/schema.json", "#/$defs/missing"])
def test_references_of_a_schema_are_never_fetched(tmp_path: Path, reference: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"$ref": reference}), encoding="utf-8")
    found = result(f"json-schema:{path}", turn("{}"))
    assert isinstance(found, Failure)
    assert found.cause is Cause.SCORER_ERROR
    assert "which is not in it" in found.detail


def test_a_schema_that_refers_to_itself_without_end(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text('{"$ref": "#"}', encoding="utf-8")
    found = result(f"json-schema:{path}", turn("{}"))
    assert isinstance(found, Failure)
    assert "without end" in found.detail


def test_code_blocks() -> None:
    assert unfenced("```json\n[1]\n```") == "[1]\n"
    assert unfenced(" ```\n1\n``` \n") == "1\n"
    assert unfenced("x ```\n1\n```") == "x ```\n1\n```"
    assert unfenced("```") == "```"


# --- tools -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "passed"),
    [
        ("tool:track", True),
        ("tool:cancel", False),
        ("tool:history", False),
        ("not-tool:cancel", True),
        ("not-tool:track", False),
        ('tool:track {"order": 7}', True),
        ('tool:track {"order": 7.0}', True),
        ('tool:track {"order": "7"}', False),
        ('tool:track {"express": true}', True),
        ('tool:track {"express": 1}', False),
        ('tool:track {"where": {"city": "Hull"}}', True),
        ('tool:track {"tags": ["a", "b"]}', True),
        ('tool:track {"tags": ["a"]}', False),
        ('tool(exact=true):track {"order": 7}', False),
        ('not-tool:track {"order": 8}', True),
    ],
)
def test_tool_calls(spec: str, passed: bool) -> None:
    arguments = {"order": 7, "express": True, "where": {"city": "Hull", "zip": "HU1"}, "tags": ["a", "b"]}
    found = result(spec, agent(("lookup", {}), ("track", arguments)))
    assert isinstance(found, Score)
    assert (found.value == 1.0) is passed


def test_reasons_of_tool_checks() -> None:
    item = agent(("lookup", {}), ("track", {"order": 8}))
    for spec, expected in [
        ("tool:cancel", "did not call “cancel”; called lookup, track"),
        ('tool:track {"order": 7}', "called “track”, but order is “8”, not “7”"),
        ('tool:track {"id": 7}', "called “track”, but “id” is missing"),
        ("tool(exact=true):track {}", "called “track”, but “order” is not expected"),
        ("not-tool:track", "called “track”"),
    ]:
        found = result(spec, item)
        assert isinstance(found, Score)
        assert found.rationale == expected
    broken = result('tool:track {"order": 7}', agent(("track", "{order: 7}")))
    assert isinstance(broken, Score)
    assert "its arguments are no JSON" in str(broken.rationale)
    none = result("tool:track", agent())
    assert isinstance(none, Score)
    assert none.rationale == "did not call “track”"


def test_one_fitting_call_among_several_is_enough() -> None:
    found = result('tool:track {"order": 7}', agent(("track", {"order": 8}), ("track", {"order": 7})))
    assert found == Score(1.0)


def test_a_turn_is_checked_on_its_own() -> None:
    dialogue = agent(("track", {})).dialogue
    (metric,) = parse_metrics(["tool(unit=turn):track"])
    assert metric.unit is Unit.TURN
    assert metric.score_many([Item(dialogue, 2)]) == [(Score(1.0),)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=2), children, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values, json_values)
def test_a_value_differs_from_another_unless_equal(first: object, second: object) -> None:
    assert difference(first, first, exact=True) is None
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (difference(first, second, exact=True) is None) is same


# --- own Python ------------------------------------------------------------------------------------------------------


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "own_checks_for_test.py"
    path.write_text(
        """
from evalharness.core.scores import Skip, SkipReason

def polite(item):
    return "please" in item.message.content

def with_reason(item):
    return False, "too curt"

def graded(item):
    return 0.25

def skipping(item):
    return Skip(SkipReason.NO_CONTEXT)

def wrong(item):
    return 7

def broken(item):
    raise KeyError("gone")
""",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_checks_for_test", raising=False)
    return path


def test_functions_of_the_working_folder(module: Path) -> None:
    name = f"python:{module.stem}"
    assert result(f"{name}.polite", turn("Yes please")) == Score(1.0)
    assert result(f"{name}.polite", turn("Yes")) == Score(0.0)
    assert result(f"{name}.with_reason", turn("Yes")) == Score(0.0, rationale="too curt")
    assert result(f"{name}.graded", turn("Yes")) == Score(0.25)
    assert result(f"{name}.skipping", turn("Yes")) == Skip(SkipReason.NO_CONTEXT)
    assert str(module.parent) not in sys.path


@pytest.mark.parametrize(("function", "detail"), [("wrong", "gave 7"), ("broken", "KeyError: 'gone'")])
def test_a_function_that_misbehaves_gives_failures(module: Path, function: str, detail: str) -> None:
    found = result(f"python:{module.stem}.{function}", turn("Yes"))
    assert isinstance(found, Failure)
    assert found.cause is Cause.SCORER_ERROR
    assert detail in found.detail


def test_the_source_of_a_function_is_part_of_the_signature(module: Path) -> None:
    (metric,) = parse_metrics([f"python:{module.stem}.polite"])
    assert "source:" in metric.columns[0].signature
    assert metric.columns[0].criterion == f"python:{module.stem}.polite"


# --- all -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["contains:a", "not-regex:a", "max-words:2", "json", "tool(unit=turn):x"])
@given(text=texts())
def test_every_reply_gets_an_answer(spec: str, text: str) -> None:
    assert isinstance(result(spec, turn(text)), Score)


def test_columns_say_what_passes() -> None:
    (metric,) = parse_metrics(["contains(name=greets,must=true):hello"])
    (column,) = metric.columns
    assert isinstance(metric, Metric)
    assert (column.scorer, column.criterion, column.passes, column.must) == ("greets", "greets", "==1", True)
    assert (column.low, column.high, column.higher_is_better) == (0.0, 1.0, True)
