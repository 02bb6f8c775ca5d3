"""What a request cost: from the tokens that the provider counted and a price list that comes with the program.

Prices are those of the ``genai-prices`` package, read offline; the settings file can state others (``prices``, USD per
million tokens). A model without a known price has no cost: None, never 0. Models in this process cost nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from evalharness.core.registry import unknown_name
from evalharness.errors import ConfigError
from evalharness.llm.client import Reply, Usage

_IN_PROCESS = frozenset({"local"})
_PLATFORMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (".amazonaws.com", ("aws",)),
    ("googleapis.com", ("google",)),
    (".azure.com", ("azure", "openai")),
)
_MILLION = 1_000_000.0
_ORDINARY = ("auto", "default", "standard", "standard_only")
_CHEAPER = ("flex",)
"""Service tiers that cost less than the ordinary one."""


class Priced(Protocol):
    """What a price depends on besides tokens; every client has it."""

    @property
    def backend(self) -> str:
        """The back-end's name."""
        ...

    @property
    def model(self) -> str:
        """The model as the user named it."""
        ...

    @property
    def endpoint(self) -> str:
        """Host and path that requests go to."""
        ...


@dataclass(frozen=True, slots=True)
class Tiers:
    """A price by the size of the prompt: (more than so many input tokens, USD per million), largest first.

    The tier that the prompt falls into holds for all tokens of the request, as providers bill.
    """

    steps: tuple[tuple[int, float], ...]

    def at(self, input_tokens: int) -> float:
        """USD per million tokens for a prompt of that size."""
        return next(price for start, price in self.steps if input_tokens > start)


def flat(price: float) -> Tiers:
    """One price whatever the size."""
    return Tiers(((-1, price),))


@dataclass(frozen=True, slots=True)
class Rate:
    """The prices of a model. ``batch`` is what a batch request costs relative to this."""

    input: Tiers
    output: Tiers
    cached_input: Tiers
    cache_write: Tiers
    batch: float = 1.0

    def cost(self, usage: Usage, *, batch: bool = False) -> float:
        """USD for the tokens."""
        size = usage.input_tokens
        plain = size - usage.cached_tokens - usage.cache_write_tokens
        dollars = (
            plain * self.input.at(size)
            + usage.cached_tokens * self.cached_input.at(size)
            + usage.cache_write_tokens * self.cache_write.at(size)
            + usage.output_tokens * self.output.at(size)
        ) / _MILLION
        return dollars * self.batch if batch else dollars


_FREE = Rate(flat(0.0), flat(0.0), flat(0.0), flat(0.0))


@dataclass(slots=True)
class Prices:
    """Prices of models: the user's own by model name, else the list's."""

    own: Mapping[str, Rate] = field(default_factory=dict)
    _found: dict[tuple[str, str, str, str, bool, str], tuple[Rate, bool] | None] = field(
        default_factory=dict, init=False
    )

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> Prices:
        """Prices from the ``prices`` section of a settings file; ConfigError for what is not one."""
        return cls({model: _own_rate(model, row) for model, row in settings.items()})

    def cost(self, client: Priced, reply: Reply, *, batch: bool = False) -> float | None:
        """USD that a reply cost; None when the price is unknown."""
        return self.of_usage(client, reply.usage, model=reply.model, batch=batch)

    def of_usage(self, client: Priced, usage: Usage, *, model: str = "", batch: bool = False) -> float | None:
        """USD for tokens. ``model`` is what the provider says answered, tried before the name that was asked for."""
        found = self._rate(client, model, batch)
        return None if found is None else found[0].cost(_consistent(usage), batch=found[1])

    def knows(self, client: Priced) -> bool:
        """Whether there is a price for what a client asks."""
        return self._rate(client, "", False) is not None

    def _rate(self, client: Priced, model: str, batch: bool) -> tuple[Rate, bool] | None:
        """The rate of a request, looked up once for each model that answers, and whether its batch share applies."""
        key = (client.backend, client.endpoint, client.model, model, batch, _tier(client))
        if key not in self._found:
            self._found[key] = self._look_up(client, model, batch)
        return self._found[key]

    def _look_up(self, client: Priced, model: str, batch: bool) -> tuple[Rate, bool] | None:
        if client.backend in _IN_PROCESS:
            return _FREE, False
        names = [name for name in dict.fromkeys((model, client.model)) if name]
        for name in names:
            if name in self.own:
                return self.own[name], batch
        tier = "" if batch else _tier(client)
        rates = (listed_rate(client.endpoint, name, batch=batch, tier=tier) for name in names)
        return next(((rate, False) for rate in rates if rate is not None), None)


def listed_rate(endpoint: str, model: str, *, batch: bool = False, tier: str = "") -> Rate | None:
    """The list's prices for a model at an endpoint today; None when the list does not know it.

    ``tier`` is a service tier with prices of its own. One for which the list has none is unknown, unless it is cheaper
    than the ordinary tier, as which it then counts.
    """
    if not tier:
        return _listed(endpoint, model, {"processing": "batch"} if batch else None)
    rate = _listed(endpoint, model, {"service_tier": tier})
    return None if tier not in _CHEAPER and rate == _listed(endpoint, model, None) else rate


def _listed(endpoint: str, model: str, context: Any) -> Rate | None:
    from genai_prices import Usage as ListUsage
    from genai_prices import calc_price

    for place in _places(endpoint):
        try:
            found = calc_price(ListUsage(input_tokens=1), model, price_context=context, **place)
        except LookupError:
            continue
        return _rate_of(vars(found.model_price))
    return None


def _tier(client: Priced) -> str:
    """The service tier that a client asks for, if it may have prices of its own."""
    identity = getattr(client, "identity", None)
    named = identity.get("service_tier") if isinstance(identity, Mapping) else None
    return named if isinstance(named, str) and named not in _ORDINARY else ""


def _rate_of(listed: Mapping[str, Any]) -> Rate | None:
    """The rate in a price of the list; tokens of a kind without a price of its own cost as their whole kind does."""
    if listed.get("input_mtok") is None or listed.get("output_mtok") is None:
        return None
    plain = _tiers(listed["input_mtok"])
    cached, written = listed.get("cache_read_mtok"), listed.get("cache_write_mtok")
    return Rate(
        input=plain,
        output=_tiers(listed["output_mtok"]),
        cached_input=plain if cached is None else _tiers(cached),
        cache_write=plain if written is None else _tiers(written),
    )


def _tiers(price: Any) -> Tiers:
    """A price of the list: a number, or a base with tiers."""
    if not hasattr(price, "tiers"):
        return flat(float(price))
    steps = [(tier.start, float(tier.price)) for tier in price.tiers]
    return Tiers((*sorted(steps, reverse=True), (-1, float(price.base))))


def _places(endpoint: str) -> list[dict[str, Any]]:
    """Where the list may know the endpoint: by its address, else by its platform."""
    host = endpoint.partition("/")[0]
    named = next((ids for domain, ids in _PLATFORMS if host.endswith(domain)), ())
    return [{"provider_api_url": f"https://{endpoint}"}, *({"provider_id": name} for name in named)]


def _consistent(usage: Usage) -> Usage:
    """The usage with its parts within the whole, as some servers get it wrong."""
    if usage.cached_tokens + usage.cache_write_tokens <= usage.input_tokens:
        return usage
    cached = min(usage.cached_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    return Usage(usage.input_tokens, usage.output_tokens, cached, written, usage.reasoning_tokens)


_FIELDS = ("input", "output", "cached_input", "cache_write", "batch")


def _own_rate(model: str, row: Any) -> Rate:
    if not isinstance(row, Mapping) or "input" not in row or "output" not in row:
        raise ConfigError(
            f"prices: {model}: a price needs input and output",
            fix="In USD per million tokens: {input: 0.1, output: 0.4}.",
        )
    for name, value in row.items():
        if name not in _FIELDS:
            raise ConfigError(str(unknown_name(f"price of {model}", str(name), _FIELDS)))
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MILLION:
            raise ConfigError(
                f"prices: {model}: {name} is {value!r}", fix="Write USD per million tokens, 0 or more."
            )
    return Rate(
        input=flat(row["input"]),
        output=flat(row["output"]),
        cached_input=flat(row.get("cached_input", row["input"])),
        cache_write=flat(row.get("cache_write", row["input"])),
        batch=float(row.get("batch", 1.0)),
    )
