"""`judges test`: what is wrong with a judge becomes findings with advice."""

from __future__ import annotations

import asyncio
import json
import math

import pytest

from evalharness.core.scores import Cause
from evalharness.judges import probe as probe_module
from evalharness.judges.probe import Grade, probe_client, probe_judge
from evalharness.llm.client import Capabilities, Finish, ProviderFault, Reply, Token, Usage
from tests.judges.fakes import FakeClient, answer_json

GOOD = answer_json(correct=3)


def probe(answer, capabilities=None, **more):
    client = FakeClient([answer], capabilities or Capabilities(), **more)
    return asyncio.run(probe_client("me", client)), client


def problems(found):
    return [finding for finding in found.findings if finding.grade is Grade.PROBLEM]


def test_a_judge_that_works():
    found, client = probe(Reply(GOOD, usage=Usage(100, 20), model="fake-1"))
    assert found.usable and not problems(found) and len(client.asked) == 1
    assert (found.model, found.input_tokens, found.output_tokens, found.raw) == ("fake-1", 100, 20, GOOD)
    assert any("structured output works" in finding.what for finding in found.findings)
    assert found.seconds >= 0


@pytest.mark.parametrize("cause", [c for c in Cause if c in probe_module._ADVICE])
def test_every_fault_comes_with_advice(cause):
    found, _ = probe(ProviderFault(cause, "detail of it", fatal=True))
    (problem,) = problems(found)
    assert (
        not found.usable and cause.value in problem.what and "detail of it" in problem.what and problem.advice
    )


def test_every_cause_that_a_provider_or_an_answer_can_have_has_advice():
    own = {Cause.MODEL_MOVED, Cause.NOT_RECORDED, Cause.SCORER_ERROR, Cause.INCOMPLETE}
    assert set(probe_module._ADVICE) == set(Cause) - own


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(GOOD, Finish.LENGTH), "truncated"),
        (Reply("", refusal="no"), "refusal"),
        (Reply(""), "empty"),
        (Reply("Well."), "no_verdict"),
        (Reply(answer_json(correct=9)), "out_of_range"),
        (Reply("Rating: 3"), "ignore the schema"),
        (Reply("Sure! " + GOOD), "ignore the schema"),
    ],
)
def test_answers_that_show_a_problem(reply, words):
    found, _ = probe(reply)
    assert any(words in problem.what and problem.advice for problem in problems(found))


def test_a_model_without_schemas_may_answer_in_prose():
    found, _ = probe(Reply("Rating: 3"), Capabilities(schema=False))
    assert found.usable and not problems(found)


def test_oddities_are_notes():
    capabilities = Capabilities(logprobs=True, toy=True)
    found, _ = probe(Reply(GOOD, model="other"), capabilities, warnings=("temperature was left out",))
    notes = " ".join(finding.what for finding in found.findings if finding.grade is Grade.NOTE)
    for words in (
        "other answered",
        "no token counts",
        "token probabilities",
        "toy judge",
        "temperature was left out",
    ):
        assert words in notes


def test_probabilities_are_found():
    place = GOOD.rindex("3")
    tokens = (
        Token(GOOD[:place], 0.0),
        Token("3", math.log(0.9), (("3", math.log(0.9)),)),
        Token(GOOD[place + 1 :], 0.0),
    )
    found, _ = probe(Reply(GOOD, tokens=tokens), Capabilities(logprobs=True))
    assert any("it gives token probabilities" in finding.what for finding in found.findings)


def test_no_answer_in_time(monkeypatch):
    class Slow(FakeClient):
        async def complete(self, request):
            await asyncio.Event().wait()

    monkeypatch.setattr(probe_module, "DEADLINE", 0.01)
    found = asyncio.run(probe_client("me", Slow([])))
    assert not found.usable and "timeout" in problems(found)[0].what


def test_names_and_keys_that_are_wrong_are_findings(monkeypatch):
    for name in ("openai", "opnai:m", "replay:no-such-file", "openai:m@http://me:hunter2@host/v1"):
        found = asyncio.run(probe_judge(name))
        assert not found.usable and problems(found)
        assert "hunter2" not in repr(found)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    found = asyncio.run(probe_judge("openai:gpt-6-luna"))
    assert "OPENAI_API_KEY" in problems(found)[0].advice


def test_the_client_is_closed(monkeypatch):
    client = FakeClient([GOOD])
    monkeypatch.setattr(probe_module, "spec_client", lambda spec, models: client)
    assert asyncio.run(probe_judge("x=openai:m")).judge == "x"
    assert client.closed == 1


def test_recordings(tmp_path):
    path = tmp_path / "r.jsonl"
    pair = {"dialogue_a": "x", "dialogue_b": "y", "criterion": "better", "outputs": ["A"]}
    rows = [{"dialogue": "d", "turn": 1, "criterion": "quality", "outputs": [1]}, pair]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = asyncio.run(probe_judge(f"replay:{path}"))
    text = " ".join(finding.what for finding in found.findings)
    assert found.usable and "quality 1" in text and "about pairs" in text and "which judge" in text
