"""Judges that the settings file makes of other judges: the section ``judges`` of evalharness.yaml.

    judges:
      careful: {judge: openai:gpt-6-terra, samples: 3}
      jury: {panel: [careful, anthropic:claude-haiku-5-5, local:smollm2], combine: median}

A definition has one key that says what it is, and options of that kind. Wherever a judge is named, in a definition or
with ``--judge``, the name of another definition will do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

from evalharness.core.canonical import Json
from evalharness.core.registry import unknown_name
from evalharness.core.rubric import Rubric
from evalharness.data.policies import parse_amount
from evalharness.errors import UsageError
from evalharness.judges.bands import Bands
from evalharness.judges.cascade import Cascade, Thresholds
from evalharness.judges.claim_text import Claim
from evalharness.judges.claim_votes import claim_rubric
from evalharness.judges.claims import Claims, Sentences, Splitter, splitter_of
from evalharness.judges.interface import Judge
from evalharness.judges.onset import Onset
from evalharness.judges.options import MOST_SAMPLES, JudgeOptions, Variant
from evalharness.judges.panel import Panel
from evalharness.judges.repeated import Repeated
from evalharness.judges.votes import Combine

Make: TypeAlias = Callable[[Sequence[str], Sequence[Rubric], JudgeOptions], Sequence[Any]]
"""Makes judges from their names, judge by judge, as ``spec.make_judges`` does (or judges of pairs)."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One entry of the section, with what it takes to make its judges.

    ``make`` makes the judges that it is made of; their names are looked up in the same section.
    """

    name: str
    kind: str
    options: Mapping[str, Json]
    make: Make

    @property
    def subject(self) -> Json:
        """What stands behind the key that says what it is."""
        return self.options[self.kind]

    def names(self) -> list[str]:
        """The judges that stand behind that key."""
        found = self.subject if isinstance(self.subject, list) else [self.subject]
        if not found or not all(isinstance(name, str) for name in found):
            raise UsageError(
                f"{self.where}: {self.kind} names no judges", fix=f"Write {self.kind}: [JUDGE, JUDGE]."
            )
        return [str(name) for name in found]

    @property
    def where(self) -> str:
        """The definition's place, for messages."""
        return f"judges: {self.name}"

    def take(self, name: str, kind: type | tuple[type, ...], words: str) -> Any:
        """The option's value, None where it is not given; UsageError for one of another kind."""
        value = self.options.get(name)
        if value is None or (isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool)):
            return value
        raise UsageError(f"{self.where}: {name} is {value!r}", fix=f"Write {words}.")


def make_composed(
    name: str, given: Json, called: str, rubrics: Sequence[Rubric], options: JudgeOptions, make: Make
) -> list[Judge]:
    """The judges of one definition, one per rubric; ``called`` is the name they bear in outcomes."""
    definition = definition_of(name, given, make)
    return KINDS[definition.kind][0](definition, called, rubrics, options)


def definition_of(name: str, given: Json, make: Make) -> Definition:
    """An entry of the section, checked; UsageError for one that is no definition."""
    if not isinstance(given, Mapping):
        raise UsageError(f"judges: {name} is {given!r}", fix=f"Write {name}: {{panel: [JUDGE, JUDGE]}}.")
    kinds = [key for key in given if key in KINDS]
    if len(kinds) != 1:
        said = f"is {' and '.join(kinds)} at once" if kinds else f"has none of {', '.join(KINDS)}"
        raise UsageError(f"judges: {name} {said}", fix="Write exactly one of these keys.")
    allowed = KINDS[kinds[0]][1]
    for key in given:
        if key != kinds[0] and key not in allowed:
            raise unknown_name(f"option of {kinds[0]} (judges: {name})", str(key), allowed)
    return Definition(name, kinds[0], given, make)


def _make_one(
    definition: Definition, called: str, rubrics: Sequence[Rubric], options: JudgeOptions
) -> list[Judge]:
    """A judge with options of its own."""
    return [*definition.make([single_name(definition, called)], rubrics, own_options(definition, options))]


def single_name(definition: Definition, called: str) -> str:
    """The one judge of a definition of kind ``judge``, called as told unless it has an alias."""
    (name,) = definition.names() if len(definition.names()) == 1 else ("",)
    if not name:
        raise UsageError(
            f"{definition.where}: judge names several", fix="Write judge: JUDGE, or panel: [JUDGE, …]."
        )
    return name if "=" in name else f"{called}={name}"


def own_options(definition: Definition, options: JudgeOptions) -> JudgeOptions:
    """The options with those that a definition of kind ``judge`` sets."""
    return replace(
        options,
        samples=definition.take("samples", int, "a whole number") or options.samples,
        per_criterion=_or(definition.take("per_criterion", bool, "true or false"), options.per_criterion),
        max_tokens=definition.take("max_tokens", int, "a whole number") or options.max_tokens,
        sampling=replace(
            options.sampling,
            temperature=_or(
                definition.take("temperature", (int, float), "a number"), options.sampling.temperature
            ),
            effort=definition.take("effort", str, "a word") or options.sampling.effort,
        ),
    )


def combine_of(definition: Definition) -> Combine:
    """How a panel's definition says that verdicts are combined."""
    combine = definition.take("combine", str, f"one of {', '.join(Combine)}") or Combine.MEAN.value
    if combine not in [how.value for how in Combine]:
        raise unknown_name(f"way to combine ({definition.where})", combine, [how.value for how in Combine])
    return Combine(combine)


def _make_panel(
    definition: Definition, called: str, rubrics: Sequence[Rubric], options: JudgeOptions
) -> list[Judge]:
    quorum = definition.take("quorum", int, "a whole number")
    return [
        Panel(called, rubric, members, combine_of(definition), quorum)
        for rubric, members in by_rubric(definition.make(definition.names(), rubrics, options), rubrics)
    ]


def _make_claims(
    definition: Definition, called: str, rubrics: Sequence[Rubric], options: JudgeOptions
) -> list[Judge]:
    own = replace(options, samples=1, questions_last=True, variant=Variant.NONE)
    specimen = claim_rubric([Claim("A specimen.", "")])
    verifiers = tuple(definition.make(definition.names(), [specimen], own))
    split = definition.take("split", str, "a judge, or sentences")
    if split == "sentences":
        splitter: Splitter = Sentences()
    else:
        judge = verifiers[0] if split is None else definition.make([split], [specimen], own)[0]
        splitter = splitter_of(judge, own)
    times = definition.take("verifications", int, "a whole number")
    if times is not None and not 1 <= times <= MOST_SAMPLES:
        raise UsageError(f"{definition.where}: verifications is {times}", fix=f"Write 1 to {MOST_SAMPLES}.")
    cited = _or(definition.take("cited", bool, "true or false"), True)
    return [Claims(called, rubric, splitter, verifiers, times or 1, cited) for rubric in rubrics]


def _make_cascade(
    definition: Definition, called: str, rubrics: Sequence[Rubric], options: JudgeOptions
) -> list[Judge]:
    stages = definition.names()
    given = definition.options.get("accept")
    near = _bands(definition)
    each = given if isinstance(given, list) else [given] * (len(stages) - 1)
    accept = tuple(
        Thresholds({}) if near is not None and entry is None else _thresholds(definition, "accept", entry)
        for entry in each
    )
    humans = definition.options.get("humans")
    last = None if humans is None else _thresholds(definition, "humans", humans)
    return [
        Cascade(called, rubric, members, accept, last, near)
        for rubric, members in by_rubric(definition.make(stages, rubrics, options), rubrics)
    ]


def _make_onset(
    definition: Definition, called: str, rubrics: Sequence[Rubric], options: JudgeOptions
) -> list[Judge]:
    names = definition.names()
    if len(names) != 1:
        raise UsageError(
            f"{definition.where}: first_failure names several",
            fix="Write first_failure: JUDGE; a panel is one judge.",
        )
    return [
        Onset(called, judge_rubric, turns)
        for judge_rubric, (turns,) in by_rubric(definition.make(names, rubrics, options), rubrics)
    ]


def _make_repeated(
    definition: Definition, called: str, rubrics: Sequence[Rubric], options: JudgeOptions
) -> list[Judge]:
    names = definition.names()
    times = definition.take("times", int, "a whole number")
    if len(names) != 1 or times is None:
        raise UsageError(
            f"{definition.where}: repeat needs one judge and a number of times",
            fix="Write {repeat: JUDGE, times: 3}; a panel is one judge.",
        )
    return [
        Repeated(called, rubric, judge, times)
        for rubric, (judge,) in by_rubric(definition.make(names, rubrics, options), rubrics)
    ]


def _thresholds(definition: Definition, name: str, given: Json) -> Thresholds:
    if _is_share(given):
        return Thresholds({}, float(cast(float, given)))
    if isinstance(given, Mapping) and given and all(map(_is_share, given.values())):
        return Thresholds({str(key): float(cast(float, value)) for key, value in given.items()})
    raise UsageError(
        f"{definition.where}: {name} is {given!r}",
        fix=f"Write a confidence from 0 to 1, or one by criterion: {name}: {{helpfulness: 0.8}} (see `cascade plan`).",
    )


def _bands(definition: Definition) -> Bands | None:
    """How near to the pass threshold a value goes on; None where the definition does not say."""
    given = definition.options.get("near")
    if given is None:
        return None
    entries = given if isinstance(given, Mapping) else {"": given}
    amounts = {str(name): parse_amount(entry) for name, entry in entries.items()}
    known = {name: amount for name, amount in amounts.items() if amount is not None}
    if not known or len(known) < len(amounts):
        raise UsageError(
            f"{definition.where}: near is {given!r}",
            fix="Write units of the scale (0.5) or a share of it (10%), or one by criterion: near: {helpfulness: 0.5}.",
        )
    return Bands(known) if isinstance(given, Mapping) else Bands({}, known[""])


def _is_share(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def by_rubric(judges: Sequence[Any], rubrics: Sequence[Rubric]) -> list[tuple[Rubric, tuple[Any, ...]]]:
    """Judges that were made judge by judge, rubric by rubric."""
    each = len(rubrics)
    return [(rubric, tuple(judges[place::each])) for place, rubric in enumerate(rubrics)]


def _or(value: Any, otherwise: Any) -> Any:
    return otherwise if value is None else value


KINDS: Mapping[
    str,
    tuple[Callable[[Definition, str, Sequence[Rubric], JudgeOptions], list[Judge]], tuple[str, ...]],
] = {
    "judge": (_make_one, ("samples", "per_criterion", "max_tokens", "temperature", "effort")),
    "panel": (_make_panel, ("combine", "quorum")),
    "cascade": (_make_cascade, ("accept", "humans", "near")),
    "claims": (_make_claims, ("split", "verifications", "cited")),
    "first_failure": (_make_onset, ()),
    "repeat": (_make_repeated, ("times",)),
}
"""What a definition may be, by the key that says so: what makes its judges, and its options."""
