from __future__ import annotations

from dataclasses import dataclass

import pytest
from genai_prices import Usage as ListUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from evalharness.errors import ConfigError
from evalharness.llm.client import Reply, Usage
from evalharness.llm.pricing import Prices

USAGE = Usage(input_tokens=2000, output_tokens=400)


@dataclass(frozen=True)
class Place:
    backend: str = "openai"
    model: str = "gpt-6-luna"
    endpoint: str = "api.openai.com/v1"
    tier: str | None = None

    @property
    def identity(self) -> dict[str, object]:
        return {"service_tier": self.tier}


ANTHROPIC = Place("anthropic", "claude-haiku-5-5", "api.anthropic.com")


def test_list_prices() -> None:
    """2,000 tokens in and 400 out at $0.10 and $0.50 per million."""
    assert Prices().of_usage(Place(), USAGE) == pytest.approx(0.0004)
    assert Prices().of_usage(ANTHROPIC, USAGE) == pytest.approx(0.0004)


def test_cached_and_written_tokens_have_their_own_price() -> None:
    usage = Usage(2000, 400, cached_tokens=1000, cache_write_tokens=200)
    expected = (800 * 0.10 + 1000 * 0.01 + 200 * 0.125 + 400 * 0.5) / 1e6
    assert Prices().of_usage(Place(), usage) == pytest.approx(expected)


def test_long_prompts_have_the_higher_tier() -> None:
    small = Prices().of_usage(Place(), Usage(200_000, 0))
    large = Prices().of_usage(Place(), Usage(400_000, 0))
    assert small is not None
    assert large is not None
    assert large > 3.9 * small


def test_batches_cost_half() -> None:
    assert Prices().of_usage(Place(), USAGE, batch=True) == pytest.approx(0.0002)


@pytest.mark.parametrize(
    ("tier", "times"),
    [(None, 1.0), ("auto", 1.0), ("default", 1.0), ("priority", 2.0), ("flex", 0.5), ("else", None)],
)
def test_service_tiers_have_their_own_prices(tier: str | None, times: float | None) -> None:
    ordinary = Prices().of_usage(Place(model="gpt-5.1"), USAGE)
    assert ordinary is not None
    found = Prices().of_usage(Place(model="gpt-5.1", tier=tier), USAGE)
    assert found == (None if times is None else pytest.approx(times * ordinary))
    assert Prices().knows(Place(model="gpt-5.1", tier=tier)) is (times is not None)
    in_batch = Prices().of_usage(Place(model="gpt-5.1", tier=tier), USAGE, batch=True)
    assert in_batch == pytest.approx(0.5 * ordinary)  # batches have no tiers


def test_the_model_that_answered_is_priced_before_the_one_that_was_asked() -> None:
    alias = Place(model="our-alias")
    assert Prices().cost(alias, Reply("x", usage=USAGE, model="gpt-6-luna-2026-09-01")) == pytest.approx(
        0.0004
    )
    assert Prices().cost(Place(), Reply("x", usage=USAGE, model="unheard-of")) == pytest.approx(0.0004)


@pytest.mark.parametrize(
    "place",
    [
        Place(model="gpt-99-nova"),
        Place(endpoint="127.0.0.1:8000/v1"),
        Place(endpoint="gateway.example/v1"),
        Place("openai", "", "api.openai.com/v1"),
        Place("anthropic", "claude-99", "api.anthropic.com"),
    ],
)
def test_unknown_is_unpriced_and_never_free(place: Place) -> None:
    prices = Prices()
    assert prices.of_usage(place, USAGE) is None
    assert prices.of_usage(place, USAGE) is None


@pytest.mark.parametrize(
    "place",
    [
        Place("anthropic", "claude-haiku-5-5", "bedrock-runtime.us-east-1.amazonaws.com"),
        Place("anthropic", "claude-haiku-5-5", "europe-west1-aiplatform.googleapis.com/v1"),
        Place("anthropic", "claude-haiku-5-5", "aiplatform.googleapis.com/v1"),
        Place("openai", "gpt-6-luna", "mine.openai.azure.com/openai/v1"),
        Place("openai", "openai/gpt-6-luna", "openrouter.ai/api/v1"),
    ],
)
def test_platforms_are_known_by_their_host(place: Place) -> None:
    cost = Prices().of_usage(place, USAGE)
    assert cost is not None
    assert 0.0003 < cost < 0.0006


MODELS = [
    ("api.openai.com/v1", "gpt-6-luna"),
    ("api.openai.com/v1", "gpt-6.1-sol"),
    ("api.openai.com/v1", "gpt-5-mini"),
    ("api.openai.com/v1", "gpt-4o"),
    ("api.openai.com/v1", "gpt-4"),
    ("api.anthropic.com", "claude-haiku-5-5"),
    ("api.anthropic.com", "claude-opus-4-8"),
    ("openrouter.ai/api/v1", "openai/gpt-6-luna"),
]


@given(
    st.sampled_from(MODELS),
    st.integers(0, 1_000_000),
    st.integers(0, 100_000),
    st.floats(0, 1),
    st.floats(0, 1),
    st.booleans(),
)
def test_costs_are_the_lists_own_to_the_last_cent_of_a_million(
    model: tuple[str, str], size: int, output: int, cached: float, written: float, batch: bool
) -> None:
    endpoint, name = model
    read = int(size * cached)
    usage = Usage(size, output, read, int((size - read) * written))
    try:
        expected = calc_price(
            ListUsage(
                input_tokens=usage.input_tokens,
                output_tokens=usage.output_tokens,
                cache_read_tokens=usage.cached_tokens,
                cache_write_tokens=usage.cache_write_tokens,
            ),
            name,
            provider_api_url=f"https://{endpoint}",
            price_context={"processing": "batch"} if batch else None,
        )
    except ValueError:  # the list has no price for written tokens of this model
        return
    cost = Prices().of_usage(Place("x", name, endpoint), usage, batch=batch)
    assert cost == pytest.approx(float(expected.total_price), abs=1e-9)


def test_models_in_this_process_cost_nothing() -> None:
    assert Prices().of_usage(Place("local", "smollm2", ""), USAGE) == 0.0


def test_the_users_own_prices_go_first() -> None:
    prices = Prices.from_settings(
        {
            "gpt-6-luna": {
                "input": 1.0,
                "output": 2.0,
                "cached_input": 0.1,
                "cache_write": 1.5,
                "batch": 0.5,
            },
            "free": {"input": 0, "output": 0},
        }
    )
    usage = Usage(1_000_000, 1_000_000, cached_tokens=100_000, cache_write_tokens=200_000)
    assert prices.of_usage(Place(), usage) == pytest.approx(0.7 + 0.01 + 0.3 + 2.0)
    assert prices.of_usage(Place(), usage, batch=True) == pytest.approx((0.7 + 0.01 + 0.3 + 2.0) / 2)
    assert prices.of_usage(Place(model="free"), usage) == 0.0
    assert prices.of_usage(ANTHROPIC, USAGE) == pytest.approx(0.0004)


def test_cached_tokens_cost_as_much_as_others_unless_stated() -> None:
    prices = Prices.from_settings({"m": {"input": 1.0, "output": 0.0}})
    assert prices.of_usage(Place(model="m"), Usage(1_000_000, 0, 500_000, 100_000)) == pytest.approx(1.0)


def test_inconsistent_counts_are_no_crash() -> None:
    cost = Prices().of_usage(Place(), Usage(10, 0, cached_tokens=1000, cache_write_tokens=1000))
    assert cost == pytest.approx(10 * 0.01 / 1e6)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"m": {"input": 1}}, "needs input and output"),
        ({"m": 3}, "needs input and output"),
        ({"m": {"input": 1, "output": 1, "ouput": 1}}, "Did you mean output"),
        ({"m": {"input": -1, "output": 1}}, "0 or more"),
        ({"m": {"input": True, "output": 1}}, "0 or more"),
        ({"m": {"input": "1", "output": 1}}, "0 or more"),
        ({"m": {"input": float("nan"), "output": 1}}, "0 or more"),
    ],
)
def test_wrong_prices_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Prices.from_settings(settings)
