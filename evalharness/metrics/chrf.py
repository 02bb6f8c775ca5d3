"""chrF (Popović 2015) and chrF++ (Popović 2017) with the values of sacrebleu, to the last bit, 0 … 100."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evalharness.core.scores import Score
from evalharness.errors import UsageError
from evalharness.metrics.coding import codebook
from evalharness.metrics.ngrams import Ints, clipped_matches, ngram_totals
from evalharness.metrics.reference import ReferenceMetric, Row, Texts
from evalharness.metrics.signature import package_version, signature

_EPSILON = 1e-16
_MAX_ORDER = 6
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


@dataclass(frozen=True, slots=True)
class PunctuationApart:
    """The words of chrF++: one punctuation mark is cut off a word, at its end or else at its start."""

    name: str = "chrf"

    def prepare(self, text: str) -> str:
        """The text itself."""
        return text

    def split(self, chunk: str) -> tuple[str, ...]:
        """The chunk, or the chunk and the mark cut off it."""
        if len(chunk) == 1:
            return (chunk,)
        if chunk[-1] in _PUNCTUATION:
            return chunk[:-1], chunk[-1]
        if chunk[0] in _PUNCTUATION:
            return chunk[0], chunk[1:]
        return (chunk,)


@dataclass(frozen=True)
class Chrf(ReferenceMetric):
    """chrF of each reply, and corpus chrF from the summed statistics; ``word_order=2`` makes it chrF++.

    Several references: the one with the best score counts, the first of equally good ones.
    """

    high: ClassVar[float | None] = 100.0

    word_order: int = 0
    char_order: int = 6
    beta: int = 2
    lowercase: bool = False
    whitespace: bool = False
    eps_smoothing: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.char_order <= _MAX_ORDER:
            raise UsageError(f"char_order is {self.char_order}", fix=f"Give 1 to {_MAX_ORDER}.")
        if not 0 <= self.word_order <= _MAX_ORDER:
            raise UsageError(f"word_order is {self.word_order}", fix=f"Give 0 to {_MAX_ORDER}.")
        if self.beta < 1:
            raise UsageError(
                f"beta is {self.beta}", fix="Give 1 or more: the weight of recall over precision."
            )

    @property
    def criteria(self) -> tuple[str, ...]:
        """``chrf`` with a ``+`` for each word order: ``chrf++``."""
        return ("chrf" + "+" * self.word_order,)

    def signature(self, references: int | None = None) -> str:
        """What made the number, as sacrebleu writes it; ``references`` is their number per reply."""
        return signature(
            ("nrefs", references or "var"),
            ("case", "lc" if self.lowercase else "mixed"),
            ("eff", not self.eps_smoothing),
            ("nc", self.char_order),
            ("nw", self.word_order),
            ("space", self.whitespace),
            ("beta", None if self.beta == 2 else self.beta),
            version=package_version("sacrebleu"),
        )

    def statistics(self, texts: Sequence[Texts]) -> list[tuple[int, ...]]:
        """Per reply the n-grams of reply, best reference and both, for each character order, then each word order."""
        pairs = _pairs(texts)
        statistics = self._pair_statistics([h for h, _ in pairs], [r for _, r in pairs])
        chosen = []
        position = 0
        for text in texts:
            candidates = statistics[position : position + len(text.references)]
            chosen.append(candidates[0] if len(candidates) == 1 else max(candidates, key=self.value))
            position += len(candidates)
        return chosen

    def value(self, statistics: Sequence[float]) -> float:
        """chrF of summed statistics, 0 … 100."""
        return chrf_with_epsilon(statistics, self.beta) if self.eps_smoothing else chrf(statistics, self.beta)

    def corpus_value(self, totals: Sequence[float]) -> float:
        """Corpus chrF: the F score of the summed counts, not the mean of the replies' scores."""
        return self.value(totals)

    def score_texts(self, texts: Sequence[Texts]) -> list[Row]:
        """chrF of each reply."""
        return [(Score(self.value(statistics), stats=statistics),) for statistics in self.statistics(texts)]

    def _pair_statistics(self, hypotheses: list[str], references: list[str]) -> list[tuple[int, ...]]:
        if self.lowercase:
            hypotheses, references = [h.lower() for h in hypotheses], [r.lower() for r in references]
        counts = _counts(self._squeezed(hypotheses), self._squeezed(references), self.char_order)
        if self.word_order:
            book = codebook(PunctuationApart())
            words = _counts(book.encode(hypotheses), book.encode(references), self.word_order)
            counts = np.hstack([counts, words])
        rows: list[list[int]] = counts.tolist()
        return [tuple(row) for row in rows]

    def _squeezed(self, texts: list[str]) -> list[str]:
        return texts if self.whitespace else ["".join(text.split()) for text in texts]


def chrf(statistics: Sequence[float], beta: int = 2) -> float:
    """The F score of precision and recall averaged over the orders that both texts are long enough for."""
    precision = recall = 0.0
    orders = 0
    for in_hypothesis, in_reference, in_both in _triples(statistics):
        if in_hypothesis > 0 and in_reference > 0:
            precision += in_both / in_hypothesis
            recall += in_both / in_reference
            orders += 1
    if orders:
        precision /= orders
        recall /= orders
    if not precision + recall:
        return 0.0
    factor = beta**2
    score = (1 + factor) * precision * recall
    score /= (factor * precision) + recall
    return 100 * score


def chrf_with_epsilon(statistics: Sequence[float], beta: int = 2) -> float:
    """The mean over all orders of the F score, where 1e-16 stands for nothing (as in chrF++.py, NLTK and Moses)."""
    score = 0.0
    factor = beta**2
    for in_hypothesis, in_reference, in_both in _triples(statistics):
        precision = in_both / in_hypothesis if in_hypothesis > 0 else _EPSILON
        recall = in_both / in_reference if in_reference > 0 else _EPSILON
        denominator = factor * precision + recall
        score += ((1 + factor) * precision * recall / denominator) if denominator > 0 else _EPSILON
    return 100 * score / (len(statistics) // 3)


def _triples(statistics: Sequence[float]) -> Iterator[tuple[float, float, float]]:
    return zip(statistics[::3], statistics[1::3], statistics[2::3], strict=True)


def _pairs(texts: Sequence[Texts]) -> list[tuple[str, str]]:
    return [(text.hypothesis, reference) for text in texts for reference in text.references]


def _counts(hypotheses: Sequence[str], references: Sequence[str], order: int) -> Ints:
    """Per pair and order: n-grams of the hypothesis (0 where the reference has none), of the reference, of both."""
    matched = clipped_matches(hypotheses, [(reference,) for reference in references], order)
    wanted = ngram_totals(references, order)
    given = np.where(wanted > 0, ngram_totals(hypotheses, order), 0)
    return np.stack([given, wanted, matched], axis=-1).reshape(len(hypotheses), -1)
