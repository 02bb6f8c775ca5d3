"""From a judge's name to a judge: ``[alias=]backend:model[@base_url]``.

The back-end is what stands before the first ``:``, an address what stands behind the last ``@http``. ``replay:FILE``
reads recordings; a name that an installed package registers as a judge goes to that package; everything else is a
model that is asked pointwise. A new kind of judge is one more entry in the table of makers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from evalharness.core.canonical import Json
from evalharness.core.dialogue import Unit
from evalharness.core.registry import JUDGES, load_plugin, plugins, unknown_name
from evalharness.core.rubric import Rubric
from evalharness.errors import UsageError
from evalharness.judges.interface import Judge
from evalharness.judges.options import JudgeOptions
from evalharness.llm.client import Client

__all__ = [
    "JudgeOptions",
    "JudgeSpec",
    "composed_name",
    "judge_kinds",
    "judge_name",
    "make_judge",
    "make_judges",
    "parse_spec",
    "spec_client",
]

_ALIAS = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,63})=(.*)", re.DOTALL)
_BACKEND = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_EXAMPLE = "Write backend:model, for example openai:gpt-6-luna, local:smollm2 or replay:answers.jsonl."
_LOGIN = re.compile(r"//[^/]{1,500}@")
_FLAT = ("api", "insecure_http")


@dataclass(frozen=True, slots=True)
class JudgeSpec:
    """A judge as the user names it. ``model`` is a file's path for recordings and for local models by path."""

    backend: str
    model: str
    base_url: str | None = None
    alias: str = ""

    @property
    def name(self) -> str:
        """The judge's name in outcomes: its alias, else the specification itself."""
        if self.alias:
            return self.alias
        address = "" if self.base_url is None else f"@{self.base_url}"
        return f"{self.backend}:{self.model}{address}"


JudgeMaker: TypeAlias = Callable[
    [JudgeSpec, Sequence[Rubric], JudgeOptions, Mapping[str, Json]], Sequence[Judge]
]
"""What builds the judges of one name, one per rubric; also what plug-ins register in the group JUDGES."""


def parse_spec(text: str) -> JudgeSpec:
    """The parts of a judge's name; UsageError for one that has no back-end or no model."""
    alias, rest = "", text.strip()
    named = _ALIAS.fullmatch(rest)
    if named is not None:
        alias, rest = named.groups()
    backend, colon, model = rest.partition(":")
    if not colon or not _BACKEND.fullmatch(backend):
        raise UsageError(f"{without_login(text)!r} is no judge", fix=_EXAMPLE)
    address = None
    if backend not in _FILE_BACKENDS:
        before, mark, behind = model.rpartition("@http")
        model, address = (before, f"http{behind}") if mark else (model, None)
    if not model:
        raise UsageError(f"{without_login(text)!r} names no model", fix=_EXAMPLE)
    return JudgeSpec(backend, model, address, alias)


def without_login(text: str) -> str:
    """A judge's name for messages: a user name and password in an address (refused later) are left out."""
    return _LOGIN.sub("//…@", text)


def make_judge(
    spec: str | JudgeSpec,
    rubric: Rubric,
    options: JudgeOptions | None = None,
    models: Mapping[str, Json] | None = None,
    composed: Mapping[str, Json] | None = None,
) -> Judge:
    """The judge that answers ``rubric``; see :func:`make_judges`."""
    return make_judges([spec], [rubric], options, models, composed)[0]


def make_judges(
    specs: Iterable[str | JudgeSpec],
    rubrics: Iterable[Rubric],
    options: JudgeOptions | None = None,
    models: Mapping[str, Json] | None = None,
    composed: Mapping[str, Json] | None = None,
) -> tuple[Judge, ...]:
    """Every judge on every rubric, judge by judge; judges of one name share their client or recordings.

    ``models`` is the section of that name of the settings: facts by model name; ``api`` and ``insecure_http`` beside
    them apply to every model. ``composed`` is the section ``judges``: judges made of others (see ``judges.compose``).
    Raises UsageError (also for a missing key), InputError, MissingDependencyError.
    """
    return _make(specs, list(rubrics), options or JudgeOptions(), models or {}, composed or {}, ())


def _make(
    specs: Iterable[str | JudgeSpec],
    rubrics: Sequence[Rubric],
    options: JudgeOptions,
    models: Mapping[str, Json],
    composed: Mapping[str, Json],
    within: tuple[str, ...],
) -> tuple[Judge, ...]:
    """``within`` are the definitions that are being made: one of them can't be a part of itself."""
    judges: list[Judge] = []
    for spec in specs:
        alias, name = composed_name(spec)
        if name in composed:
            from evalharness.judges.compose import make_composed

            if name in within:
                raise UsageError(f"judges: {' → '.join((*within, name))}: a judge can't be a part of itself")
            part = partial(_make, models=models, composed=composed, within=(*within, name))
            judges.extend(make_composed(name, composed[name], alias or name, rubrics, options, part))
            continue
        parsed = parse_spec(spec) if isinstance(spec, str) else spec
        maker = _MAKERS.get(parsed.backend) or _plugin(parsed.backend) or _make_pointwise
        judges.extend(maker(parsed, rubrics, options, models))
    return tuple(judges)


def judge_name(spec: str) -> str:
    """The name in outcomes of a judge as the user names it, one that the settings make of others included."""
    alias, name = composed_name(spec)
    return alias or (parse_spec(spec).name if ":" in name else name)


def composed_name(spec: str | JudgeSpec) -> tuple[str, str]:
    """Alias and name of what may be a definition of the settings; both empty for what can't be one."""
    if not isinstance(spec, str):
        return "", ""
    named = _ALIAS.fullmatch(spec.strip())
    return (named.group(1), named.group(2)) if named is not None else ("", spec.strip())


def judge_kinds() -> tuple[str, ...]:
    """The names that may stand before the first ``:``: our back-ends, then those of plug-ins."""
    from evalharness.llm.clients import backends

    return tuple(dict.fromkeys((*backends(), *_MAKERS, *plugins(JUDGES))))


def spec_client(spec: JudgeSpec, models: Mapping[str, Json]) -> Client:
    """The client of a judge that asks a model."""
    from evalharness.llm.clients import backends, make_client
    from evalharness.llm.endpoint import parse_endpoint
    from evalharness.llm.keys import Trust

    if spec.backend not in backends():
        raise unknown_name("judge back-end", spec.backend, judge_kinds())
    hosts = [parse_endpoint(spec.base_url).host] if models.get("insecure_http") and spec.base_url else []
    return make_client(
        spec.backend,
        spec.model,
        spec.base_url,
        _client_options(spec, models),
        Trust.from_environment(http_hosts=hosts),
    )


def _client_options(spec: JudgeSpec, models: Mapping[str, Json]) -> dict[str, Json]:
    """The options of a back-end: what is said of all models, and of this one.

    Under a model's name stand options of its back-end (``platform``, ``timeout`` …) beside facts about the model
    (``temperature``, ``context_tokens`` …, see ``llm.capabilities``).
    """
    from evalharness.llm.options import option_names

    known = models.get(spec.model) if spec.model not in _FLAT else None
    named = option_names(spec.backend)
    options: dict[str, Json] = {}
    if isinstance(known, Mapping) and named:
        facts = {name: value for name, value in known.items() if name not in named}
        options = {name: value for name, value in known.items() if name in named}
        if facts:
            told = options.get("capabilities")
            options["capabilities"] = {**facts, **(told if isinstance(told, Mapping) else {})}
    if spec.backend == "openai" and models.get("api"):
        options["api"] = models["api"]
    return options


def _make_replay(
    spec: JudgeSpec, rubrics: Sequence[Rubric], _options: JudgeOptions, _models: Mapping[str, Json]
) -> list[Judge]:
    from evalharness.data.recordings import read_recordings
    from evalharness.judges.replay import Replay

    _refuse_pairs(spec, rubrics)
    recordings = read_recordings(spec.model)
    return [Replay(spec.name, rubric, recordings) for rubric in rubrics]


def _make_fitted(
    spec: JudgeSpec, rubrics: Sequence[Rubric], _options: JudgeOptions, _models: Mapping[str, Json]
) -> list[Judge]:
    from evalharness.data.fitted import read_fitted
    from evalharness.judges.fitted import Fitted

    _refuse_pairs(spec, rubrics)
    model = read_fitted(spec.model)
    return [Fitted(spec.name, rubric, model) for rubric in rubrics]


def _make_pointwise(
    spec: JudgeSpec, rubrics: Sequence[Rubric], options: JudgeOptions, models: Mapping[str, Json]
) -> list[Judge]:
    from evalharness.judges.pointwise import Pointwise

    _refuse_pairs(spec, rubrics)
    client = spec_client(spec, models)
    return [Pointwise(spec.name, rubric, client, options) for rubric in rubrics]


def _make_decision(
    spec: JudgeSpec, rubrics: Sequence[Rubric], options: JudgeOptions, models: Mapping[str, Json]
) -> list[Judge]:
    from evalharness.judges.decision import Decision

    _refuse_pairs(spec, rubrics)
    client = spec_client(spec, models)
    return [Decision(spec.name, rubric, client, options) for rubric in rubrics]


def _refuse_pairs(spec: JudgeSpec, rubrics: Sequence[Rubric]) -> None:
    for rubric in rubrics:
        if rubric.unit is Unit.PAIR:
            raise UsageError(
                f"{rubric.name} compares pairs; {spec.name} judges one item at a time",
                fix="Use a rubric whose unit is turn or dialogue.",
            )


def _plugin(backend: str) -> JudgeMaker | None:
    return load_plugin(JUDGES, backend)


_MAKERS: Mapping[str, JudgeMaker] = {
    "replay": _make_replay,
    "fitted": _make_fitted,
    "decisions": _make_decision,
    "systemone": _make_decision,
}
_FILE_BACKENDS = ("replay", "fitted", "local")
