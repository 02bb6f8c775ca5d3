"""Token probabilities as a distribution over the answers of a criterion."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalharness.core.rubric import Criterion, Scale
from evalharness.judges.answers import Fit, Odd, fit_number, fit_words
from evalharness.judges.schema import CANNOT_ASSESS
from evalharness.llm.client import Token

_AROUND = " \t\r\n\"'`*:[("


@dataclass(frozen=True, slots=True)
class Distribution:
    """Probabilities over the answers of a criterion (they sum to 1), and how much the model gave to them in all.

    ``mass`` is measured before renormalising: what is missing went to tokens that are no answer, or to answers
    outside the likeliest tokens that the back-end returned.
    """

    probabilities: Mapping[str, float]
    mass: float

    def fit(self, criterion: Criterion) -> Fit:
        """The expectation over the levels; the likeliest label on a nominal scale.

        "Cannot assess" when that is the likeliest answer of all; else it is left out of the expectation.
        """
        likeliest = max(self.probabilities, key=lambda label: self.probabilities[label])
        if likeliest == CANNOT_ASSESS and CANNOT_ASSESS not in criterion.labels:
            return Odd.CANNOT_ASSESS
        if criterion.scale is Scale.NOMINAL:
            return likeliest
        pairs = [(p, _number(criterion, label)) for label, p in self.probabilities.items()]
        known = [(p, number) for p, number in pairs if number is not None]
        total = math.fsum(p for p, _ in known)
        return math.fsum(p * number for p, number in known) / total if total > 0 else Odd.OUT_OF_RANGE


def of_labels(probabilities: Mapping[str, float] | None, mass: float | None) -> Distribution | None:
    """The distribution that a back-end gave over the labels it was asked for."""
    if not probabilities:
        return None
    return _normalised(probabilities, 1.0 if mass is None else mass)


def of_tokens(
    text: str, tokens: Sequence[Token], start: int | None, criterion: Criterion
) -> Distribution | None:
    """The distribution at the token in which the value begins, at character ``start`` of the text.

    None where there are no tokens, they don't make up the text, no answer is among the likeliest tokens, or a token
    could begin two answers (``1`` of ``1`` and ``10``).
    """
    token = None if start is None else _token_at(text, tokens, start)
    if token is None:
        return None
    alternatives = dict(token.top)
    alternatives.setdefault(token.text, token.logprob)
    summed: dict[str, float] = {}
    labels = _labels(criterion)
    for written, logprob in alternatives.items():
        meant = _meant(written.strip(_AROUND), labels)
        if len(meant) > 1:
            return None
        for label in meant:
            summed[label] = summed.get(label, 0.0) + math.exp(min(logprob, 0.0))
    mass = math.fsum(summed.values())
    return (
        _normalised({label: summed.get(label, 0.0) for label in labels}, min(mass, 1.0)) if mass > 0 else None
    )


def _normalised(probabilities: Mapping[str, float], mass: float) -> Distribution | None:
    clean = {label: p for label, p in probabilities.items() if math.isfinite(p) and p >= 0}
    total = math.fsum(clean.values())
    if total <= 0:
        return None
    return Distribution({label: p / total for label, p in clean.items()}, mass)


def _token_at(text: str, tokens: Sequence[Token], start: int) -> Token | None:
    joined = "".join(token.text for token in tokens)
    shift = joined.find(text)
    if not tokens or shift < 0:
        return None
    position = 0
    for token in tokens:
        position += len(token.text)
        if position > start + shift:
            return token
    return None


def _labels(criterion: Criterion) -> tuple[str, ...]:
    extra = (CANNOT_ASSESS,) if criterion.cannot_assess and CANNOT_ASSESS not in criterion.labels else ()
    return (*criterion.labels, *extra)


def _meant(written: str, labels: Sequence[str]) -> list[str]:
    """The labels that a token stands for: the one it spells, else those whose name it begins."""
    word = written.casefold()
    if not word:
        return []
    longer = [label for label in labels if label.casefold().startswith(word) and label.casefold() != word]
    same = [label for label in labels if label.casefold() == word]
    numeric = word.isdigit()
    if same:
        return [*same, *longer] if numeric else same
    return [] if numeric else longer


def _number(criterion: Criterion, label: str) -> float | None:
    fit = fit_words(criterion).get(label.casefold())
    if fit is None:
        try:
            fit = fit_number(criterion, float(label))
        except ValueError:
            return None
    return fit if isinstance(fit, float) else None
