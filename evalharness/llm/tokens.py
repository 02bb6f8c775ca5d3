"""Log-probabilities of generated tokens, and the distribution over labels that they give."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evalharness.llm.bodies import as_object, clean_text, list_in, logprob_in, text_in
from evalharness.llm.client import Token


def read_tokens(entries: Sequence[Any]) -> tuple[Token, ...]:
    """Tokens from the entries of a ``logprobs`` array, which both OpenAI wires write alike."""
    return tuple(_token(as_object(entry, "logprobs entry")) for entry in entries)


def _token(entry: Mapping[str, Any]) -> Token:
    top = [as_object(other, "top_logprobs entry") for other in list_in(entry, "top_logprobs")]
    return Token(
        text_in(entry, "token"),
        logprob_in(entry, "logprob"),
        tuple((text_in(other, "token"), logprob_in(other, "logprob")) for other in top),
    )


def label_distribution(
    tokens: Sequence[Token], labels: Sequence[str]
) -> tuple[dict[str, float], float] | None:
    """The distribution over labels at the first written token, and the mass that all labels had together.

    A token counts for a label when it is the label or the start of that label alone (``Hel`` for ``Helpful``); case
    and surrounding spaces don't matter. None when no label is found, or when the tokens can't tell labels apart: with
    labels ``1`` and ``10`` the token ``1`` may be either, unless ``10`` is a token of its own.
    """
    first = next((token for token in tokens if token.text.strip()), None)
    if first is None:
        return None
    folded = {label.strip().casefold(): label for label in labels}
    masses = dict.fromkeys(labels, 0.0)
    alternatives = _alternatives(first)
    for text, probability in alternatives.items():
        matches = _matches(text, folded, alternatives)
        if len(matches) > 1:
            return None
        for label in matches:
            masses[folded[label]] += probability
    total = math.fsum(masses.values())
    if total <= 0.0:
        return None
    return {label: mass / total for label, mass in masses.items()}, min(total, 1.0)


def _alternatives(token: Token) -> dict[str, float]:
    """Probability by folded text; the written token stands in where the alternatives lack it."""
    found: dict[str, float] = {}
    for text, logprob in token.top or ((token.text, token.logprob),):
        folded = clean_text(text).strip().casefold()
        if folded:
            found[folded] = found.get(folded, 0.0) + math.exp(logprob)
    found.setdefault(token.text.strip().casefold(), math.exp(token.logprob))
    return found


def _matches(text: str, labels: Mapping[str, str], alternatives: Mapping[str, float]) -> list[str]:
    """The labels that a token may be the start of; a longer label that has its own token is not meant."""
    starts = [label for label in labels if label.startswith(text)]
    if text in labels:
        return [text, *(label for label in starts if label != text and label not in alternatives)]
    return starts
