"""From a judge's name to a client: the one place that knows all back-ends, each imported only when it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from evalharness.core.canonical import Json
from evalharness.core.registry import unknown_name
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
    if any("\ud800" <= letter <= "\udfff" for letter in model):
        raise UsageError(f"the name of the {backend} model is not valid UTF-8")
    return maker(model, base_url, options, trust or Trust.from_environment())


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
