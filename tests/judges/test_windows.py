"""Dialogues that are longer than the judge's window."""

from __future__ import annotations

import asyncio
import re

from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.dialogue import Item, Unit
from evalharness.core.scores import Cause, Failure
from evalharness.judges.options import JudgeOptions
from evalharness.judges.pointwise import Pointwise
from evalharness.judges.prompt import Prompt
from evalharness.judges.windows import plan_windows
from evalharness.llm.client import Capabilities
from tests.judges.fakes import SECRET, FakeAsk, FakeClient, answer_json, binary, dialogue, ordinal, rubric


def long_dialogue(messages, words=40):
    return dialogue(*[f"message {n} " + "word " * words for n in range(messages)])


def judge(client, *criteria, unit=Unit.DIALOGUE, **options):
    return Pointwise("me", rubric(*criteria, unit=unit), client, JudgeOptions(max_tokens=100, **options))


def small(answers, tokens=1500):
    return FakeClient(answers, Capabilities(context_tokens=tokens))


def shown(request):
    return [int(n) for n in re.findall(r"^\[M(\d+)\] (?:user|assistant)", request.shared, re.MULTILINE)]


def test_a_dialogue_that_fits_is_shown_whole():
    client = small([answer_json(quality=4)])
    score = asyncio.run(judge(client, ordinal("quality")).judge(Item(long_dialogue(4)), FakeAsk()))[0]
    assert score.extra is None and shown(client.asked[0]) == [0, 1, 2, 3]


def test_a_long_dialogue_is_judged_in_parts_that_cover_it_once():
    client, ask = (
        small(lambda request: answer_json(quality=4 if "[M0] user" in request.shared else 1)),
        FakeAsk(),
    )
    score = asyncio.run(judge(client, ordinal("quality")).judge(Item(long_dialogue(40)), ask))[0]
    parts = [shown(request) for request in client.asked]
    assert len(parts) > 2 and [n for part in parts for n in part] == list(range(40))
    assert all(part[0] % 2 == 0 for part in parts)
    assert score.extra == {"windows": len(parts), "aggregate": "mean"}
    assert score.value == (4 + (len(parts) - 1)) / len(parts)
    assert [step for _, step in ask.calls] == [f"window {n}" for n in range(1, len(parts) + 1)]
    assert f"part 2 of {len(parts)}" in client.asked[1].ask
    assert "are not shown" in client.asked[1].shared


def test_parts_are_of_about_equal_length():
    client = small(lambda request: answer_json(quality=4))
    asyncio.run(judge(client, ordinal("quality")).judge(Item(long_dialogue(42)), FakeAsk()))
    lengths = [len(shown(request)) for request in client.asked]
    assert max(lengths) - min(lengths) <= 0.5 * max(lengths)


def test_the_worst_part_decides_a_must():
    def answer(request):
        return answer_json(quality=5, invented="yes" if "[M0] user" in request.shared else "no")

    criteria = ordinal("quality", must=True), binary("invented", good="no", must=True)
    results = asyncio.run(judge(small(answer), *criteria).judge(Item(long_dialogue(40)), FakeAsk()))
    assert [r.value for r in results] == [5.0, 1.0, 0.0]
    assert results[1].extra["aggregate"] == "worst"


def test_a_part_without_a_verdict_fails_the_criterion():
    def answer(request):
        return answer_json(quality=5) if "[M0] user" in request.shared else "Hm."

    result = asyncio.run(judge(small(answer), ordinal("quality")).judge(Item(long_dialogue(40)), FakeAsk()))[
        0
    ]
    assert result.cause is Cause.NO_VERDICT and result.detail.startswith("part 2 of")


def test_the_oldest_history_of_a_turn_is_left_out_and_that_is_said():
    client = small([answer_json(quality=3)])
    item = Item(long_dialogue(40), 31)
    score = asyncio.run(judge(client, ordinal("quality"), unit=Unit.TURN).judge(item, FakeAsk()))[0]
    messages = shown(client.asked[0])
    assert messages == list(range(messages[0], 32)) and messages[0] > 0
    assert f"messages [M0] to [M{messages[0] - 1}] are not shown" in client.asked[0].shared
    assert score.extra == {"windows": 1, "aggregate": "latest", "messages_not_shown": messages[0]}


def test_what_fits_in_no_way_is_too_long():
    huge = dialogue("Hello", "word " * 5000)
    for unit, item in ((Unit.TURN, Item(huge, 1)), (Unit.DIALOGUE, Item(huge))):
        made = judge(small([]), ordinal("quality"), unit=unit)
        results = asyncio.run(made.judge(item, FakeAsk()))
        assert [r.cause for r in results] == [Cause.TOO_LONG, Cause.INCOMPLETE]
        assert made.requests(item, b"") == ()


def test_a_model_of_unknown_window_is_shown_everything():
    client = FakeClient([answer_json(quality=4)])
    asyncio.run(judge(client, ordinal("quality")).judge(Item(long_dialogue(400)), FakeAsk()))
    assert len(shown(client.asked[0])) == 400


@given(st.lists(st.integers(0, 120), min_size=2, max_size=30), st.integers(900, 3000), st.booleans())
def test_every_window_fits_and_no_message_is_lost(lengths, limit, turn):
    made = dialogue(*["word " * n for n in lengths])
    item = Item(made, len(lengths) - 1 - len(lengths) % 2) if turn else Item(made)
    client = small([], limit)
    criteria = (ordinal("quality"),)
    prompt = Prompt(rubric(*criteria, unit=item.unit), max_tokens=100)
    windows = plan_windows(prompt, item, criteria, SECRET, client)
    if isinstance(windows, Failure):
        assert windows.cause is Cause.TOO_LONG
        return
    for window in windows:
        request = prompt.request(item, criteria, SECRET, window)
        schema_room = 120
        used = sum(client.count_tokens(text) for text in (request.system, request.shared, request.ask))
        assert used + request.max_tokens + schema_room <= limit
    covered = [index for window in windows for index in range(window.span.start, window.span.stop)]
    last = len(lengths) - 1 if item.turn is None else item.turn
    assert covered == list(range(windows[0].span.start, last + 1))
    assert turn or windows[0].span.start == 0
