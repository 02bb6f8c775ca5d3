"""Reading gate policies: YAML or JSON in, a valid :class:`Policy` out, or every mistake of the file at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalharness.core.policy import Amount, CriterionPolicy, OnInconclusive, Policy
from evalharness.data.strictyaml import Located, Place, load_mapping, parse_mapping
from evalharness.errors import ConfigError, Problem

POLICY_KEYS = (
    "pair_by", "criteria", "max_drop", "must_pass", "confirm", "confirm_by", "max_failed", "max_unpaired", "slices",
    "confidence", "anchors", "on_inconclusive",
)  # fmt: skip
CRITERION_KEYS = ("max_drop", "min_pass_rate", "max_new_failures", "confirm", "gate")
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*$")


def load_policy(path: Path) -> Policy:
    """The policy in a file; a :class:`ConfigError` lists all its mistakes."""
    return build_policy(load_mapping(path), str(path))


def parse_policy(text: str, source: str = "policy") -> Policy:
    """The policy in a YAML or JSON text."""
    return build_policy(parse_mapping(text, source), source)


def build_policy(document: Located, source: str) -> Policy:
    """The policy that a parsed document describes."""
    sheet = _Sheet(source)
    sheet.known_keys(document, POLICY_KEYS, "a policy")
    default = Policy()
    policy = Policy(
        pair_by=_pair_by(document, sheet),
        criteria=_criteria(document, sheet),
        max_drop=sheet.amount(document, "max_drop") or default.max_drop,
        must_pass=sheet.names(document, "must_pass"),
        confirm=sheet.count(document, "confirm", 1) or 1,
        confirm_by=_confirm_by(document, sheet),
        max_failed=sheet.share(document, "max_failed", default.max_failed),
        max_unpaired=sheet.share(document, "max_unpaired", default.max_unpaired),
        slices=sheet.names(document, "slices"),
        anchors=_anchors(document, sheet),
        confidence=_confidence(document, sheet, default.confidence),
        on_inconclusive=_on_inconclusive(document, sheet),
        source=source,
    )
    if sheet.problems:
        raise ConfigError(sorted(sheet.problems, key=lambda p: (p.line or 0, p.column or 0)))
    return policy


def check_names(policy: Policy, criteria: Iterable[str], with_pass_mark: Iterable[str]) -> None:
    """Raise :class:`ConfigError` for criteria that the run does not have, or floors on one without a pass mark."""
    known, marked = sorted(set(criteria)), set(with_pass_mark)
    problems = []
    for name, stated in policy.criteria.items():
        if name not in known:
            problems.append(
                Problem(
                    f"the run has no criterion {name!r}", policy.source, stated.line, None, _near(name, known)
                )
            )
        elif name not in marked and (stated.min_pass_rate is not None or stated.max_new_failures is not None):
            fix = "Say in the rubric what counts as good: `pass:` or `good:`."
            problems.append(
                Problem(f"criterion {name!r} has no pass mark", policy.source, stated.line, None, fix)
            )
    if problems:
        raise ConfigError(problems)


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."


class _Sheet:
    """Collects the mistakes of one file and reads fields of a wanted type."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def report(self, message: str, place: Place, fix: str | None = None) -> None:
        self.problems.append(Problem(message, self.source, place.line, place.column, fix))

    def known_keys(self, where: Located, allowed: Sequence[str], what: str) -> None:
        for key in where:
            if key not in allowed:
                self.report(f"{what} has no field {key!r}", where.keys_at[key], _near(key, allowed))

    def refuse(self, where: Located, key: str, fix: str) -> None:
        text = repr(where[key])
        self.report(
            f"{key} can't be {text if len(text) <= 60 else text[:59] + '…'}", where.values_at[key], fix
        )

    def share(self, where: Located, key: str, default: float) -> float:
        found = self.optional_share(where, key)
        return default if found is None else found

    def optional_share(self, where: Located, key: str) -> float | None:
        """A percentage, or a number from 0 to 1."""
        if key not in where:
            return None
        amount = parse_amount(where[key])
        if amount is not None and amount.value <= 1.0:
            return amount.value
        self.refuse(where, key, "Write a share: a percentage like 2%, or a number from 0 to 1.")
        return None

    def amount(self, where: Located, key: str) -> Amount | None:
        if key not in where:
            return None
        found = parse_amount(where[key])
        if found is None:
            self.refuse(where, key, "Write a share of the scale like 5%, or a number in scale units.")
        return found

    def count(self, where: Located, key: str, least: int) -> int | None:
        if key not in where:
            return None
        value = where[key]
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        self.refuse(where, key, f"Write a whole number of {least} or more.")
        return None

    def names(self, where: Located, key: str) -> tuple[str, ...]:
        value = where.get(key, [])
        if isinstance(value, list) and all(
            isinstance(name, str | int) and not isinstance(name, bool) for name in value
        ):
            return tuple(dict.fromkeys(str(name) for name in value))
        self.refuse(where, key, "Write a list: [first, second].")
        return ()


def parse_amount(value: Any) -> Amount | None:
    """A share like ``5%``, or a number of 0 or more in scale units; None for anything else."""
    if isinstance(value, str):
        match = _PERCENT.match(value)
        return None if match is None or float(match[1]) > 100 else Amount(float(match[1]) / 100)
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return Amount(float(value), relative=False)
    return None


def _confirm_by(document: Located, sheet: _Sheet) -> str | None:
    value = document.get("confirm_by")
    if value is None or (isinstance(value, str) and value.strip()):
        return value
    sheet.refuse(
        document, "confirm_by", "Write a judge's name, e.g. openai:gpt-6-terra, or one of the settings."
    )
    return None


def _pair_by(document: Located, sheet: _Sheet) -> str:
    value = document.get("pair_by", "group")
    if isinstance(value, str) and (
        value in ("group", "dialogue") or re.match(r"metadata\.\S", value) is not None
    ):
        return value
    sheet.refuse(document, "pair_by", "Write group, dialogue, or metadata.NAME.")
    return "group"


def _anchors(document: Located, sheet: _Sheet) -> str | None:
    """The path of a file of anchors, seen from where the policy stands."""
    value = document.get("anchors")
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        sheet.refuse(document, "anchors", "Write the path of a file: anchors.jsonl.")
        return None
    return str(Path(sheet.source).parent / value)


def _confidence(document: Located, sheet: _Sheet, default: float) -> float:
    value = sheet.share(document, "confidence", default)
    if not 0.5 < value < 1.0:
        sheet.refuse(document, "confidence", "Write a level above 50% and below 100%, usually 95%.")
        return default
    return value


def _on_inconclusive(document: Located, sheet: _Sheet) -> OnInconclusive:
    value = document.get("on_inconclusive", OnInconclusive.EXIT.value)
    choices = [choice.value for choice in OnInconclusive]
    if value not in choices:
        sheet.refuse(document, "on_inconclusive", f"Write one of: {', '.join(choices)}.")
        return OnInconclusive.EXIT
    return OnInconclusive(value)


def _criteria(document: Located, sheet: _Sheet) -> Mapping[str, CriterionPolicy]:
    entries = document.get("criteria")
    if entries is None:
        return {}
    if not isinstance(entries, Located):
        sheet.refuse(document, "criteria", "Write `criteria:` and below it `name: {max_drop: 5%}`.")
        return {}
    return {name: _criterion(name, entries, sheet) for name in entries}


def _criterion(name: str, entries: Located, sheet: _Sheet) -> CriterionPolicy:
    body, line = entries[name], entries.keys_at[name].line
    if body is None:
        return CriterionPolicy(line=line)
    if not isinstance(body, Located):
        sheet.refuse(entries, name, "Write fields: {max_drop: 5%}.")
        return CriterionPolicy(line=line)
    sheet.known_keys(body, CRITERION_KEYS, f"criterion {name!r}")
    gates = body.get("gate")
    if gates is not None and not isinstance(gates, bool):
        sheet.refuse(body, "gate", "Write true or false.")
        gates = None
    return CriterionPolicy(
        max_drop=sheet.amount(body, "max_drop"),
        min_pass_rate=sheet.optional_share(body, "min_pass_rate"),
        max_new_failures=sheet.count(body, "max_new_failures", 0),
        confirm=sheet.count(body, "confirm", 1),
        gate=gates,
        line=line,
    )
