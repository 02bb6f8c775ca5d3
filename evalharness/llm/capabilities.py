"""What each model takes: sampling options, effort, log-probabilities, schemas, the size of its window.

Providers refuse options that a model does not take with a 400, and they differ by model and even by effort. The table
states what is known; the settings file overrides it per model (``models: {my-model: {temperature: true}}``). What a
model does not take is left out of the request, with a warning, instead of failing every item.

Hosts other than the providers' own serve models that this table can't know: they get what is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from evalharness.core.registry import unknown_name
from evalharness.errors import ConfigError


class When(StrEnum):
    """When a model takes an option."""

    ALWAYS = "always"
    NO_EFFORT = "no_effort"
    """Only when reasoning is switched off by effort ``none``."""
    NEVER = "never"


ALL_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True)
class Traits:
    """What a model takes. ``efforts`` is empty where effort can't be set; ``reasons`` where it thinks unasked."""

    temperature: When = When.ALWAYS
    top_p: When = When.ALWAYS
    seed: bool = True
    logprobs: When = When.ALWAYS
    efforts: tuple[str, ...] = ALL_EFFORTS
    schema: bool = True
    context_tokens: int | None = None
    explicit_cache: bool = False
    reasons: bool = False


_THINKING = Traits(
    temperature=When.NEVER, top_p=When.NEVER, logprobs=When.NEVER, efforts=ALL_EFFORTS[2:], reasons=True
)
_SWITCHABLE = replace(
    _THINKING,
    temperature=When.NO_EFFORT,
    top_p=When.NO_EFFORT,
    logprobs=When.NO_EFFORT,
    efforts=("none", *ALL_EFFORTS[2:]),
)
_PLAIN = Traits(efforts=())
_CLAUDE = Traits(
    temperature=When.NEVER,
    top_p=When.NEVER,
    seed=False,
    logprobs=When.NEVER,
    efforts=ALL_EFFORTS[2:],
    context_tokens=1_000_000,
    explicit_cache=True,
    reasons=True,
)
_CLAUDE_4 = replace(_CLAUDE, efforts=(), context_tokens=200_000, reasons=False)

_OPENAI: tuple[tuple[str, Traits], ...] = (
    ("gpt-6-luna*", replace(_SWITCHABLE, context_tokens=1_050_000, explicit_cache=True)),
    ("gpt-6-sol*", replace(_SWITCHABLE, context_tokens=1_050_000, explicit_cache=True)),
    ("gpt-6*", replace(_THINKING, context_tokens=1_050_000, explicit_cache=True)),
    ("gpt-5*-chat-latest", replace(_PLAIN, context_tokens=128_000)),
    ("gpt-5.6*", replace(_SWITCHABLE, context_tokens=1_050_000, explicit_cache=True)),
    ("gpt-5.5*", replace(_SWITCHABLE, context_tokens=1_000_000)),
    ("gpt-5.4-mini*", replace(_SWITCHABLE, context_tokens=400_000)),
    ("gpt-5.4-nano*", replace(_SWITCHABLE, context_tokens=400_000)),
    ("gpt-5.4*", replace(_SWITCHABLE, context_tokens=1_050_000)),
    ("gpt-5.*", replace(_SWITCHABLE, context_tokens=400_000)),
    ("gpt-5*", replace(_THINKING, efforts=("minimal", "low", "medium", "high"), context_tokens=400_000)),
    ("o[134]*", replace(_THINKING, efforts=("low", "medium", "high"), context_tokens=200_000)),
    ("gpt-4.1*", replace(_PLAIN, context_tokens=1_000_000)),
    ("gpt-4o*", replace(_PLAIN, context_tokens=128_000)),
    ("chatgpt-4o*", replace(_PLAIN, context_tokens=128_000)),
    ("gpt-4-turbo*", replace(_PLAIN, schema=False, context_tokens=128_000)),
    ("gpt-4*", replace(_PLAIN, schema=False, context_tokens=8_192)),
    ("gpt-3.5*", replace(_PLAIN, schema=False, context_tokens=16_385)),
    ("*", replace(_THINKING, efforts=ALL_EFFORTS)),
)

_ANTHROPIC: tuple[tuple[str, Traits], ...] = (
    ("claude-3*", replace(_CLAUDE_4, schema=False)),
    ("claude-*-4-[01]*", replace(_CLAUDE_4, schema=False)),
    ("claude-haiku-4-5*", _CLAUDE_4),
    ("claude-sonnet-4-5*", _CLAUDE_4),
    ("claude-opus-4-5*", replace(_CLAUDE_4, efforts=("low", "medium", "high"))),
    ("claude-*-4-6*", replace(_CLAUDE, efforts=("low", "medium", "high", "max"))),
    ("claude-*", _CLAUDE),
    ("*", replace(_CLAUDE, context_tokens=None)),
)

_COMPATIBLE = Traits()


def traits_of(
    provider: str, model: str, *, own_host: bool, overrides: Mapping[str, Any] | None = None
) -> Traits:
    """What the model takes: ``provider`` is ``openai`` or ``anthropic``, ``own_host`` whether it serves the model.

    ``overrides`` maps fields of :class:`Traits` to values; an unknown field or a wrong value is a ConfigError.
    """
    name = _bare(model)
    return _overridden(_known(provider, name, own_host), model, overrides or {})


def _known(provider: str, name: str, own_host: bool) -> Traits:
    if provider == "anthropic":
        return _first(_ANTHROPIC, name)
    return _first(_OPENAI, name) if own_host else _COMPATIBLE


def _first(table: tuple[tuple[str, Traits], ...], name: str) -> Traits:
    return next(traits for pattern, traits in table if fnmatchcase(name, pattern))


def _bare(model: str) -> str:
    """The model's own name: without fine-tuning marks, vendor and region prefixes."""
    name = model.rpartition("/")[2].removeprefix("ft:")
    return name.rpartition("anthropic.")[2]


def _overridden(traits: Traits, model: str, overrides: Mapping[str, Any]) -> Traits:
    known = [field.name for field in fields(Traits)]
    changes: dict[str, Any] = {}
    for name, value in overrides.items():
        if name not in known:
            raise ConfigError(str(unknown_name("model option", name, known)))
        changes[name] = _checked(name, value, model)
    return replace(traits, **changes)


def _checked(name: str, value: Any, model: str) -> Any:
    if name in ("temperature", "top_p", "logprobs"):
        if isinstance(value, bool):
            return When.ALWAYS if value else When.NEVER
        if value in set(When):
            return When(value)
        raise _wrong(model, name, value, "true, false or no_effort")
    if name == "efforts":
        if isinstance(value, list | tuple) and all(isinstance(effort, str) for effort in value):
            return tuple(value)
        raise _wrong(model, name, value, "a list of efforts")
    if name == "context_tokens":
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
        raise _wrong(model, name, value, "a number of tokens above 0")
    if isinstance(value, bool):
        return value
    raise _wrong(model, name, value, "true or false")


def _wrong(model: str, name: str, value: object, wanted: str) -> ConfigError:
    return ConfigError(f"models: {model}: {name} is {value!r}", fix=f"Write {wanted}.")
