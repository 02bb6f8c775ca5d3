"""From a judge's name to a judge of pairs, as ``spec`` does it for single items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from evalharness.core.canonical import Json
from evalharness.core.rubric import Rubric
from evalharness.errors import UsageError
from evalharness.judges.listwise import Listwise
from evalharness.judges.options import JudgeOptions
from evalharness.judges.pair_compose import make_composed_pairs
from evalharness.judges.pair_replay import ListReplay, PairReplay
from evalharness.judges.pairwise import PairJudge, Pairwise
from evalharness.judges.spec import JudgeSpec, composed_name, parse_spec, spec_client


def make_pair_judges(
    specs: Sequence[str],
    rubrics: Sequence[Rubric],
    options: JudgeOptions,
    models: Mapping[str, Json],
    composed: Mapping[str, Json] | None = None,
    *,
    listwise: bool = False,
) -> tuple[PairJudge, ...]:
    """Every judge on every pair rubric; judges of one name share their client or recordings.

    ``composed`` is the section ``judges`` of the settings (see ``judges.pair_compose``). ``listwise``: they rank all
    answers to a scenario at once.
    """
    return _make(specs, rubrics, options, models, composed or {}, listwise, ())


def _make(
    specs: Sequence[str],
    rubrics: Sequence[Rubric],
    options: JudgeOptions,
    models: Mapping[str, Json],
    composed: Mapping[str, Json],
    listwise: bool,
    within: tuple[str, ...],
) -> tuple[PairJudge, ...]:
    """``within`` are the definitions that are being made: one of them can't be a part of itself."""
    judges: list[PairJudge] = []
    for text in specs:
        alias, name = composed_name(text)
        if name in composed:
            if name in within:
                raise UsageError(f"judges: {' → '.join((*within, name))}: a judge can't be a part of itself")
            part = partial(_make, models=models, composed=composed, listwise=listwise, within=(*within, name))
            judges += make_composed_pairs(name, composed[name], alias or name, rubrics, options, part)
        else:
            judges += _make_plain(parse_spec(text), rubrics, options, models, listwise)
    return tuple(judges)


def _make_plain(
    spec: JudgeSpec,
    rubrics: Sequence[Rubric],
    options: JudgeOptions,
    models: Mapping[str, Json],
    listwise: bool,
) -> Sequence[PairJudge]:
    if spec.backend == "replay":
        from evalharness.data.recordings import read_recordings

        recordings = read_recordings(spec.model)
        replay = ListReplay if listwise else PairReplay
        return [replay(spec.name, rubric, recordings) for rubric in rubrics]
    client = spec_client(spec, models)
    kind = Listwise if listwise else Pairwise
    return [kind(spec.name, rubric, client, options) for rubric in rubrics]
