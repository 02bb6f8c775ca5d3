"""Options of the remote back-ends, as they stand after a judge's name or in the settings file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalharness.core.registry import unknown_name
from evalharness.errors import Problem, UsageError
from evalharness.llm.prompt_cache import CacheMode

MEGABYTE = 1_000_000

Seconds = Annotated[float, Field(gt=0, le=3600)]


class RemoteOptions(BaseModel):
    """What every remote back-end takes.

    ``timeout`` bounds the silence between two reads, not the whole call. ``effort`` is used by requests that name
    none. ``api_key_env`` must agree with what the environment allows (see ``llm.keys``). ``capabilities`` overrides
    what is known of the model (fields of ``llm.capabilities.Traits``). ``extra_body`` is merged into the request.
    ``transport`` ``auto`` uses aiohttp where it is installed, which carries twice the requests per second.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    timeout: Seconds = 120.0
    connect_timeout: Seconds = 10.0
    max_body: Annotated[int, Field(ge=1000)] = 16 * MEGABYTE
    transport: Literal["auto", "httpx", "aiohttp"] = "auto"
    cache: CacheMode = "auto"
    effort: str | None = None
    api_key_env: str | None = None
    capabilities: dict[str, Any] = Field(default_factory=dict)
    extra_body: dict[str, Any] = Field(default_factory=dict)


class OpenAIOptions(RemoteOptions):
    """Options of the ``openai`` back-end.

    ``api`` ``auto`` is Responses for OpenAI and Azure, chat completions for other hosts. ``platform`` is recognised by
    the host's name; ``openai`` says that another host (a gateway) serves OpenAI's own API. ``limit_field`` names the
    field for the output limit on chat completions.
    """

    api: Literal["auto", "responses", "chat"] = "auto"
    platform: Literal["auto", "openai", "azure"] = "auto"
    api_version: str | None = None
    service_tier: str | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    limit_field: Literal["max_tokens", "max_completion_tokens"] | None = None


class AnthropicOptions(RemoteOptions):
    """Options of the ``anthropic`` back-end.

    ``legacy_sampling`` sends temperature and top_p by way of the 2023-06-01 API, for models that still take them.
    ``thinking`` is left to the model unless it is set.
    """

    platform: Literal["anthropic", "bedrock", "vertex"] = "anthropic"
    region: str | None = None
    project: str | None = None
    thinking: Literal["disabled", "adaptive"] | None = None
    legacy_sampling: bool = False
    service_tier: Literal["auto", "standard_only"] | None = None


class DecisionOptions(RemoteOptions):
    """Options of the ``decisions`` and ``systemone`` back-ends.

    ``state`` says how the dialogue is sent: ``native`` as messages and tool calls, ``text`` as the fenced transcript;
    ``auto`` is native for OpenAI's own host only, since other servers take less. ``context_tokens`` is the most that
    the model reads; longer dialogues fail as too long.
    """

    state: Literal["auto", "native", "text"] = "auto"
    context_tokens: Annotated[int, Field(ge=64)] | None = None


_KINDS: Mapping[str, type[RemoteOptions]] = {
    "openai": OpenAIOptions,
    "anthropic": AnthropicOptions,
    "decisions": DecisionOptions,
    "systemone": DecisionOptions,
}


def option_names(backend: str) -> frozenset[str]:
    """The names of a remote back-end's options; empty for others."""
    kind = _KINDS.get(backend)
    return frozenset() if kind is None else frozenset(kind.model_fields)


OptionsT = TypeVar("OptionsT", bound=RemoteOptions)


def read_options(kind: type[OptionsT], backend: str, given: Mapping[str, Any]) -> OptionsT:
    """The options of a back-end; UsageError for unknown names (with near ones) and wrong values, all at once."""
    if any("key" in name.lower() and name != "api_key_env" for name in given):
        raise UsageError(
            "a key can't be given as an option", fix="Keys come from the environment (see docs on judges)."
        )
    problems = [
        Problem(str(unknown_name(f"option of the {backend} back-end", name, kind.model_fields)))
        for name in given
        if name not in kind.model_fields
    ]
    try:
        options = kind.model_validate(
            {name: value for name, value in given.items() if name in kind.model_fields}
        )
    except ValidationError as error:
        problems += [
            Problem(f"{backend} option {'.'.join(map(str, wrong['loc']))}: {wrong['msg']}")
            for wrong in error.errors()
        ]
        raise UsageError(problems) from None
    if problems:
        raise UsageError(problems)
    return options
