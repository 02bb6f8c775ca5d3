"""From a judge's name to a client: the one place that knows all back-ends, each imported only when it is used."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeAlias

from evalharness.core.canonical import Json
from evalharness.core.registry import unknown_name
from evalharness.core.text import one_line
from evalharness.errors import UsageError
from evalharness.llm.client import Client
from evalharness.llm.keys import Trust

Maker: TypeAlias = Callable[[str, str | None, Mapping[str, Json], Trust], Client]


def make_client(
    backend: str, model: str, base_url: str | None, options: Mapping[str, Json], trust: Trust | None = None
) -> Client:
    """A client for ``backend:model[@base_url]``.

    ``options`` may come from a settings file. ``trust`` is what the environment and the command line allow; without it
    the environment alone counts. Raises UsageError (unknown back-end, option, address, key) or MissingDependencyError.
    """
    maker = _MAKERS.get(backend)
    if maker is None:
        raise unknown_name("judge back-end", backend, _MAKERS)
    if not model:
        raise UsageError(f"{backend} needs a model", fix=f"Write {backend}:MODEL.")
    client = maker(model, base_url, options, trust or Trust.from_environment())
    if backend != "local":  # whose model may be a file of any name
        _check_sendable(backend, model, options)
    return client


def _check_sendable(backend: str, model: str, options: Mapping[str, Json]) -> None:
    """What can't stand in a request (lone surrogates, NaN, no JSON) is a UsageError before anything is sent."""
    for what, value in {
        "name": model,
        **{f"option {name}": value for name, value in options.items()},
    }.items():
        try:
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"{one_line(f'{backend}:{model}')}: the {what} holds {_UNSENDABLE.get(type(error), 'values')} "
                "that can't be sent",
                fix="Write it as valid UTF-8, without NaN and infinities.",
            ) from None


_UNSENDABLE: Mapping[type[Exception], str] = {UnicodeEncodeError: "characters", ValueError: "numbers"}


def backends() -> tuple[str, ...]:
    """The names of all back-ends."""
    return tuple(_MAKERS)


def _openai(model: str, base_url: str | None, options: Mapping[str, Json], trust: Trust) -> Client:
    from evalharness.llm.openai_backend import make_openai
    from evalharness.llm.options import OpenAIOptions, read_options

    return make_openai(model, base_url, read_options(OpenAIOptions, "openai", options), trust)


def _anthropic(model: str, base_url: str | None, options: Mapping[str, Json], trust: Trust) -> Client:
    from evalharness.llm.anthropic_backend import make_anthropic
    from evalharness.llm.options import AnthropicOptions, read_options

    return make_anthropic(model, base_url, read_options(AnthropicOptions, "anthropic", options), trust)


def _local(model: str, base_url: str | None, options: Mapping[str, Json], _trust: Trust) -> Client:
    if base_url is not None:
        raise UsageError("a local model has no address", fix="Write local:NAME or local:/path/model.gguf.")
    from evalharness.llm.local import make_local

    return make_local(model, options)


def _decision(backend: str) -> Maker:
    def make(model: str, base_url: str | None, options: Mapping[str, Json], trust: Trust) -> Client:
        from evalharness.llm.decision_client import MAKERS
        from evalharness.llm.options import DecisionOptions, read_options

        return MAKERS[backend](model, base_url, read_options(DecisionOptions, backend, options), trust)

    return make


_MAKERS: Mapping[str, Maker] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "local": _local,
    "decisions": _decision("decisions"),
    "systemone": _decision("systemone"),
}
