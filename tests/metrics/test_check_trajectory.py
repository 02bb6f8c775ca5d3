"""Checks of an agent's trajectory, metadata, and the metric that holds them all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Dialogue, Item, Message, Tool, ToolCall
from evalharness.core.scores import Cause, Failure, Result, Score, Skip, SkipReason
from evalharness.errors import UsageError
from evalharness.metrics.spec import parse_metrics
from evalharness.metrics.tool_calls import is_error, made_calls

SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {"order": {"type": "integer"}},
    "required": ["order"],
}
TRACK = Tool("track", parameters=SCHEMA)


def dialogue(*messages: Message, tools: Sequence[Tool] = (TRACK,), **metadata: Json) -> Item:
    return Item(Dialogue("d", (Message("user", "?"), *messages), tools=tuple(tools), metadata=metadata))


def calls(*named: tuple[str, str]) -> Message:
    made = [ToolCall(name, arguments, f"c{number}") for number, (name, arguments) in enumerate(named)]
    return Message("assistant", "", tool_calls=tuple(made))


def result_of(content: str, number: int = 0) -> Message:
    return Message("tool", content, tool_call_id=f"c{number}")


def found(spec: str, item: Item) -> Result:
    (metric,) = parse_metrics([spec])
    ((result,),) = metric.score_many([item])
    return result


def verdict(
    spec: str, *messages: Message, tools: Sequence[Tool] = (TRACK,)
) -> tuple[float | str, str | None]:
    score = found(spec, dialogue(*messages, tools=tools))
    assert isinstance(score, Score)
    return score.value, score.rationale


ONE = calls(("track", '{"order": 7}'))


def test_a_call_of_an_undeclared_tool_is_named_with_its_place():
    assert verdict("known-tools", ONE) == (1.0, None)
    assert verdict("known-tools", calls(("refund", "{}"))) == (0.0, "[M1] refund is not declared")
    skipped = found("known-tools", dialogue(ONE, tools=()))
    assert skipped == Skip(SkipReason.NO_TOOLS, "no tool is declared")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ('{"order": "7"}', "[M1] track: $.order: '7' is not of type 'integer'"),
        ("{}", "[M1] track: $: 'order' is a required property"),
        ("", "[M1] track: $: 'order' is a required property"),
        ("[7]", "[M1] track: its arguments are no object: “[7]”"),
        ('{"order": 7', "[M1] track: its arguments are no JSON"),
        ('{"order": 7, "order": 8}', "[M1] track: its arguments are no JSON"),
    ],
)
def test_arguments_are_held_against_the_declared_schema(arguments: str, reason: str):
    value, said = verdict("valid-arguments", calls(("track", arguments)))
    assert value == 0.0
    assert said is not None
    assert said.startswith(reason)


def test_further_arguments_are_refused_only_where_that_is_asked_for():
    extra = calls(("track", '{"order": 7, "colour": "red"}'))
    assert verdict("valid-arguments", extra)[0] == 1.0
    assert verdict("valid-arguments(strict=true)", extra) == (
        0.0,
        "[M1] track: “colour” is no argument of it",
    )


def test_nothing_is_said_of_arguments_that_no_schema_describes():
    bare = [Tool("track")]
    assert found("valid-arguments", dialogue(ONE, tools=bare)) == Skip(
        SkipReason.NO_TOOLS, "no tool that is called declares its arguments"
    )
    assert verdict("valid-arguments", calls(("track", "{")), tools=bare)[0] == 0.0


def test_a_declared_schema_that_is_none_is_a_failure_not_a_verdict():
    broken = found("valid-arguments", dialogue(ONE, tools=[Tool("track", parameters={"type": "number7"})]))
    assert isinstance(broken, Failure)
    assert broken.cause is Cause.SCORER_ERROR
    assert "track" in broken.detail


def test_tools_can_come_from_a_file(tmp_path: Path):
    file = tmp_path / "tools.json"
    file.write_text(
        json.dumps({"tools": [{"type": "function", "function": {"name": "track", "parameters": SCHEMA}}]})
    )
    assert verdict(f"known-tools:{file}", ONE, tools=()) == (1.0, None)
    assert verdict(f"valid-arguments:{file}", calls(("track", "{}")), tools=())[0] == 0.0
    signatures = {
        parse_metrics([spec])[0].columns[0].signature for spec in ("known-tools", f"known-tools:{file}")
    }
    assert len(signatures) == 2
    file.write_text('{"tools": [3]}')
    with pytest.raises(UsageError, match="a tool is a number"):
        parse_metrics([f"known-tools:{file}"])
    with pytest.raises(UsageError, match="can't read the tools"):
        parse_metrics(["known-tools:nowhere.json"])


def test_an_equal_call_with_the_same_result_is_a_repetition():
    again = calls(("track", '{ "order":7 }'))
    first = (ONE, result_of("in Lyon"))
    assert verdict("no-repeated-calls", *first, again, result_of("in Lyon")) == (
        0.0,
        "[M3] track repeats [M1]",
    )
    assert verdict("no-repeated-calls", *first, again, result_of("delivered"))[0] == 1.0
    assert verdict("no-repeated-calls", ONE, again)[0] == 0.0
    assert (
        verdict("no-repeated-calls", *first, calls(("track", '{"order": 8}')), result_of("in Lyon"))[0] == 1.0
    )


def test_many_broken_calls_are_counted_beyond_the_first():
    unknown = calls(*[(f"t{number}", "{}") for number in range(5)])
    assert verdict("known-tools", unknown)[1] == (
        "[M1] t0 is not declared; [M1] t1 is not declared; [M1] t2 is not declared; 2 more"
    )


@pytest.mark.parametrize(
    ("content", "failed"),
    [
        ("Error: order not found", True),
        ("ValueError: 7", True),
        ("Traceback (most recent call last):", True),
        ('{"error": "no such order"}', True),
        ('{"error": null, "status": "in transit"}', False),
        ('{"success": false}', True),
        ('{"status": "FAILED"}', True),
        ('{"status": "delivered"}', False),
        ("[1, 2]", False),
        ("No error was found.", False),
        ("errors of the past: none", False),
        ("", False),
        ('{"error": ', False),
    ],
)
def test_which_results_are_errors(content: str, failed: bool):
    assert is_error(Message("tool", content)) is failed


def test_a_mark_of_the_log_goes_before_the_text():
    assert is_error(Message("tool", "fine", metadata={"is_error": True}))
    assert not is_error(Message("tool", "Error: none", metadata={"is_error": False}))


def test_results_without_ids_belong_to_the_calls_in_their_order():
    made = made_calls(
        Dialogue(
            "d",
            (
                Message("assistant", "", tool_calls=(ToolCall("a", "{}"), ToolCall("b", "{}", "x"))),
                Message("tool", "of b", tool_call_id="x"),
                Message("tool", "of a"),
                Message("assistant", "", tool_calls=(ToolCall("c", "{}", "y"),)),
            ),
        )
    )
    assert [None if one.result is None else one.result.content for one in made] == ["of a", "of b", None]


OUT = result_of('{"error": "printer 2: out of paper"}')


@pytest.mark.parametrize(
    ("behind", "kept"),
    [
        ([Message("assistant", "The printer has no paper left.")], 1.0),
        ([Message("assistant", "Unfortunately that did not work.")], 1.0),
        ([calls(("track", '{"order": 8}'))], 1.0),
        ([calls(("track", '{ "order": 7 }')), OUT], 0.0),
        ([Message("assistant", "Done! Anything else?")], 0.0),
        ([Message("user", "And?"), Message("assistant", "The printer has no paper.")], 0.0),
        ([], 0.0),
    ],
)
def test_an_error_must_be_reacted_to_before_the_user_speaks_again(behind: list[Message], kept: float):
    value, said = verdict("no-ignored-errors", ONE, OUT, *behind)
    assert value == kept
    assert (said is None) == bool(kept)


def test_how_a_reply_speaks_of_an_error_can_be_said():
    spoken = [ONE, OUT, Message("assistant", "Oops!")]
    assert verdict("no-ignored-errors", *spoken)[0] == 0.0
    assert verdict("no-ignored-errors(admits=oops)", *spoken)[0] == 1.0
    with pytest.raises(UsageError, match="no pattern"):
        verdict("no-ignored-errors(admits=[)", *spoken)


def test_errors_missing_results_and_many_calls_are_told():
    assert verdict("no-tool-errors", ONE, OUT)[0] == 0.0
    assert verdict("no-tool-errors", ONE, result_of("Lyon")) == (1.0, None)
    assert verdict("calls-answered", ONE) == (0.0, "[M1] track has no result")
    assert verdict("calls-answered", ONE, OUT)[0] == 1.0
    assert verdict("max-calls:1", ONE, ONE) == (0.0, "2 calls")
    assert verdict("max-calls:2", ONE, ONE)[0] == 1.0


def test_calls_that_are_given_are_history_and_not_the_agents_own():
    given = Message("assistant", "", tool_calls=(ToolCall("old", "{"),), given=True)
    for spec in ("known-tools", "valid-arguments", "calls-answered", "max-calls:0"):
        assert found(spec, dialogue(given)) == Skip(SkipReason.NOTHING_TO_JUDGE, "the agent calls no tool")
        assert verdict(spec, given, ONE, result_of("Lyon"))[0] == (0.0 if spec == "max-calls:0" else 1.0)


def test_all_rules_together_give_a_column_each():
    (metric,) = parse_metrics(["trajectory"])
    names = [column.criterion for column in metric.columns]
    (row,) = metric.score_many([dialogue(ONE, OUT, Message("assistant", "Done."))])
    assert {name: result.value for name, result in zip(names, row, strict=True) if isinstance(result, Score)} == {
        "known-tools": 1.0, "valid-arguments": 1.0, "calls-answered": 1.0, "no-repeated-calls": 1.0,
        "no-tool-errors": 0.0, "no-ignored-errors": 0.0,
    }  # fmt: skip


def test_turns_are_refused_because_results_stand_behind_them():
    with pytest.raises(UsageError, match="whole dialogues"):
        parse_metrics(["no-tool-errors(unit=turn)"])


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("reward>=1", 1.0),
        ("reward>1", 0.0),
        ("reward=1", 1.0),
        ("reward!=1", 0.0),
        ("status=solved", 1.0),
        ("status != solved", 0.0),
        ("done=true", 1.0),
        ("done>=1", 1.0),
    ],
)
def test_metadata_are_compared_as_numbers_or_as_text(rule: str, kept: float):
    score = found(f"metadata:{rule}", dialogue(reward=1.0, status="solved", done=True))
    assert isinstance(score, Score)
    assert score.value == kept


def test_metadata_that_are_missing_or_no_number_are_never_a_verdict():
    assert isinstance(found("metadata:reward>=1", dialogue()), Skip)
    odd = found("metadata:reward>=1", dialogue(reward="much"))
    assert isinstance(odd, Failure)
    assert odd.cause is Cause.SCORER_ERROR
    for rule in ("reward", "reward>=", "reward>=high", ">=1"):
        with pytest.raises(UsageError):
            parse_metrics([f"metadata:{rule}"])
