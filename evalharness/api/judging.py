"""Which judges can be used on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec

from evalharness.core.canonical import Json
from evalharness.core.registry import JUDGES, plugins
from evalharness.judges.compose import KINDS
from evalharness.llm.keys import ANTHROPIC, OPENAI, TYPESAFE, Provider
from evalharness.llm.local_models import KNOWN_MODELS, installed_path


@dataclass(frozen=True, slots=True)
class Available:
    """A back-end, whether it is ready, and an example of a judge's name."""

    name: str
    ready: bool
    detail: str
    example: str


def available_judges() -> list[Available]:
    """Every back-end with what it still needs. No key is shown, no request is sent."""
    return [
        _provider(OPENAI, "openai:gpt-6-luna"),
        Available(
            "openai@",
            True,
            "any OpenAI-compatible server by its address",
            "openai:qwen3@http://localhost:8000/v1",
        ),
        _provider(ANTHROPIC, "anthropic:claude-haiku-5-5"),
        replace(_provider(OPENAI, "decisions:gpt-6-luna"), name="decisions"),
        replace(_provider(TYPESAFE, "systemone:jev-latest"), name="systemone"),
        Available(
            "systemone@",
            True,
            "any server of the System One wire by its address",
            "systemone:julia@http://localhost:8080/v1",
        ),
        *_local(),
        Available("replay", True, "recorded answers from a file", "replay:answers.jsonl"),
        *(
            Available(name, True, f"plug-in {point.value}", f"{name}:…")
            for name, point in plugins(JUDGES).items()
        ),
    ]


def composed_judges(definitions: Mapping[str, Json]) -> Iterator[Available]:
    """The judges that the settings make of others; whether their parts can be used is said of these."""
    for name, definition in definitions.items():
        kinds = [kind for kind in definition if kind in KINDS] if isinstance(definition, Mapping) else []
        detail = f"a {kinds[0].replace('_', ' ')} of the settings" if len(kinds) == 1 else "no definition"
        yield Available(name, len(kinds) == 1, detail, name)


def _provider(provider: Provider, example: str) -> Available:
    held = next((name for name in provider.keys if os.environ.get(name)), None)
    detail = f"${held} is set" if held else f"set {' or '.join('$' + name for name in provider.keys)}"
    return Available(provider.name, held is not None, detail, example)


def _local() -> Iterator[Available]:
    if find_spec("xllamacpp") is None:
        yield Available("local", False, "pip install 'evalharness[local]'", "local:smollm2")
        return
    for name, model in KNOWN_MODELS.items():
        path = installed_path(name)
        detail = f"{model.title}, a toy judge" if path else f"evalharness judges install {name}"
        yield Available("local", path is not None, detail, f"local:{name}")
    yield Available("local", True, "any GGUF file by its path", "local:/path/model.gguf")
