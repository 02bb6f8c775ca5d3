from __future__ import annotations

import pytest

from evalharness.errors import ConfigError
from evalharness.llm.asked import REASONING_ROOM, TOP_LOGPROBS, settle, takes_logprobs
from evalharness.llm.capabilities import ALL_EFFORTS, Traits, When, traits_of
from evalharness.llm.client import Sampling
from tests.llm.doubles import ask


def openai(model: str, **overrides: object) -> Traits:
    return traits_of("openai", model, own_host=True, overrides=overrides)


@pytest.mark.parametrize(
    ("model", "sampling", "none", "context"),
    [
        ("gpt-6-luna", When.NO_EFFORT, True, 1_050_000),
        ("gpt-6-sol-2026-08-01", When.NO_EFFORT, True, 1_050_000),
        ("gpt-6.1-sol", When.NEVER, False, 1_050_000),
        ("gpt-6-astra", When.NEVER, False, 1_050_000),
        ("gpt-5.6-luna", When.NO_EFFORT, True, 1_050_000),
        ("gpt-5.4-mini", When.NO_EFFORT, True, 400_000),
        ("gpt-5-mini", When.NEVER, False, 400_000),
        ("o3-mini", When.NEVER, False, 200_000),
        ("gpt-4.1-mini", When.ALWAYS, False, 1_000_000),
        ("ft:gpt-4o-2024-08-06:org::id", When.ALWAYS, False, 128_000),
        ("gpt-4-0613", When.ALWAYS, False, 8_192),
        ("gpt-9-unheard-of", When.NEVER, True, None),
    ],
)
def test_openai_models(model: str, sampling: When, none: bool, context: int | None) -> None:
    traits = openai(model)
    assert (traits.temperature, traits.top_p, traits.logprobs) == (sampling,) * 3
    assert ("none" in traits.efforts) is none
    assert traits.context_tokens == context


def test_only_newer_models_bill_cache_writes() -> None:
    assert openai("gpt-6.1-terra").explicit_cache
    assert openai("gpt-5.6-sol").explicit_cache
    assert not openai("gpt-5.5").explicit_cache
    assert not openai("gpt-4o").explicit_cache


@pytest.mark.parametrize(
    ("model", "schema", "efforts", "context"),
    [
        ("claude-haiku-5-5", True, 5, 1_000_000),
        ("global.anthropic.claude-opus-4-8-v1:0", True, 5, 1_000_000),
        ("claude-opus-4-6", True, 4, 1_000_000),
        ("claude-opus-4-5-20251101", True, 3, 200_000),
        ("claude-haiku-4-5", True, 0, 200_000),
        ("claude-opus-4-1", False, 0, 200_000),
        ("claude-3-haiku", False, 0, 200_000),
    ],
)
def test_anthropic_models(model: str, schema: bool, efforts: int, context: int) -> None:
    traits = traits_of("anthropic", model, own_host=True)
    assert (traits.schema, len(traits.efforts), traits.context_tokens) == (schema, efforts, context)
    assert (traits.temperature, traits.logprobs, traits.seed) == (When.NEVER, When.NEVER, False)


def test_other_hosts_get_what_is_asked() -> None:
    traits = traits_of("openai", "gpt-6.1-sol", own_host=False)
    assert traits == Traits()
    asked, dropped = settle(ask(logprobs=True, sampling=Sampling(0.0, 0.5, 7, "low")), "m", traits)
    assert (asked.temperature, asked.top_p, asked.seed, asked.effort) == (0.0, 0.5, 7, "low")
    assert asked.top_logprobs == TOP_LOGPROBS
    assert dropped == ()


def test_what_a_model_does_not_take_is_left_out_with_a_sentence_each() -> None:
    request = ask(logprobs=True, sampling=Sampling(temperature=0.0, top_p=0.5, seed=7, effort="none"))
    asked, dropped = settle(request, "gpt-6.1-sol", openai("gpt-6.1-sol"), seed_in_api=False)
    assert (asked.temperature, asked.top_p, asked.seed, asked.effort, asked.top_logprobs) == (
        None,
        None,
        None,
        None,
        0,
    )
    assert asked.schema is not None
    assert dropped == (
        "effort none was left out: gpt-6.1-sol does not take it",
        "temperature was left out: gpt-6.1-sol does not take it",
        "top_p was left out: gpt-6.1-sol does not take it",
        "seed was left out: gpt-6.1-sol does not take it",
        "logprobs was left out: gpt-6.1-sol does not take it",
    )


def test_effort_none_opens_sampling_and_logprobs() -> None:
    traits = openai("gpt-6-luna")
    request = ask(logprobs=True, sampling=Sampling(temperature=0.0))
    asked, dropped = settle(request, "gpt-6-luna", traits, effort="none")
    assert (asked.temperature, asked.top_logprobs, asked.effort, dropped) == (0.0, TOP_LOGPROBS, "none", ())
    assert takes_logprobs(traits, "none")
    assert not takes_logprobs(traits, None)
    assert "takes it only with effort none" in settle(request, "gpt-6-luna", traits)[1][0]


def test_the_requests_own_effort_goes_before_the_default() -> None:
    asked, _ = settle(ask(sampling=Sampling(effort="high")), "gpt-6-luna", openai("gpt-6-luna"), effort="low")
    assert asked.effort == "high"


@pytest.mark.parametrize("effort", ALL_EFFORTS)
def test_reasoning_gets_room_beside_the_answer(effort: str) -> None:
    request = ask(max_tokens=100, sampling=Sampling(effort=effort))
    asked, _ = settle(request, "m", openai("gpt-9"))
    assert asked.max_tokens == 100 + REASONING_ROOM[effort]


def test_models_that_think_unasked_get_room_and_others_none() -> None:
    assert (
        settle(ask(max_tokens=100), "m", openai("gpt-6.1-sol"))[0].max_tokens
        == 100 + REASONING_ROOM["medium"]
    )
    assert settle(ask(max_tokens=100), "m", openai("gpt-4o"))[0].max_tokens == 100
    assert settle(ask(max_tokens=100), "m", Traits())[0].max_tokens == 100


def test_models_without_schemas_are_asked_without() -> None:
    asked, dropped = settle(ask(), "gpt-4", openai("gpt-4"))
    assert asked.schema is None
    assert dropped == ("the JSON schema was left out: gpt-4 does not take it",)


def test_labels_ask_for_logprobs() -> None:
    asked, _ = settle(ask(labels=("1", "2")), "m", Traits())
    assert (asked.labels, asked.top_logprobs) == (("1", "2"), TOP_LOGPROBS)


def test_lone_surrogates_never_reach_a_request() -> None:
    request = ask("r", schema=None)
    broken = type(request)("sys\ud800", "text \udfff", "ask \ud83d\ude00")
    asked, _ = settle(broken, "m", Traits())
    assert (asked.system, asked.shared) == ("sys\ufffd", "text \ufffd")
    asked.ask.encode("utf-8")


def test_settings_override_the_table() -> None:
    traits = openai(
        "gpt-6.1-sol",
        temperature=True,
        logprobs="no_effort",
        efforts=["none"],
        context_tokens=9,
        schema=False,
    )
    assert traits.temperature is When.ALWAYS
    assert traits.logprobs is When.NO_EFFORT
    assert (traits.efforts, traits.context_tokens, traits.schema) == (("none",), 9, False)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"temprature": True}, "Did you mean temperature"),
        ({"temperature": "sometimes"}, "Write true, false or no_effort"),
        ({"efforts": "low"}, "a list of efforts"),
        ({"context_tokens": 0}, "above 0"),
        ({"context_tokens": True}, "above 0"),
        ({"schema": "yes"}, "true or false"),
    ],
)
def test_wrong_overrides_are_refused(overrides: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        openai("gpt-6-luna", **overrides)
