"""BLEU (Papineni et al. 2002) with the values of sacrebleu, to the last bit.

A reply's score is sacrebleu's ``sentence_bleu`` with effective order; the corpus score of a system is
``corpus_bleu``, without it. Both are in 0 … 100 (rounding may give a hair more than 100).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from evalharness.core.registry import unknown_name
from evalharness.core.scores import Column, Score
from evalharness.errors import UsageError
from evalharness.metrics.coding import Tokenizer, codebook
from evalharness.metrics.ngrams import clipped_matches, ngram_totals
from evalharness.metrics.reference import ReferenceMetric, Row, Texts
from evalharness.metrics.signature import package_version, signature
from evalharness.metrics.tokenizers import bleu_tokenizer, has_unspaced

Smoothing: TypeAlias = Literal["exp", "floor", "add-k", "none"]

NOT_DIVIDED = "the tokenizer does not divide text without spaces; try tokenize=zh or tokenize=char"

_SPACED_TOKENIZERS = ("13a", "intl", "none")
_SMOOTHINGS: tuple[Smoothing, ...] = ("exp", "floor", "add-k", "none")
_DEFAULT_VALUE: dict[Smoothing, float] = {"floor": 0.1, "add-k": 1}
_LOG_OF_ZERO = -9999999999
_ORDER = 4
_MAX_ORDER = 6


@dataclass(frozen=True)
class Bleu(ReferenceMetric):
    """Sentence BLEU of each reply, and corpus BLEU from the summed statistics.

    Several references: an n-gram may match as often as in the reference that has it most often, and the brevity
    penalty takes the reference whose length is closest (the shorter one of two as close).
    """

    high: ClassVar[float | None] = 100.0

    tokenize: str = "13a"
    lowercase: bool = False
    smooth_method: Smoothing = "exp"
    smooth_value: float | None = None
    max_ngram_order: int = _ORDER

    def __post_init__(self) -> None:
        if self.smooth_method not in _SMOOTHINGS:
            raise unknown_name("smoothing", self.smooth_method, _SMOOTHINGS)
        if not 1 <= self.max_ngram_order <= _MAX_ORDER:
            raise UsageError(f"max_ngram_order is {self.max_ngram_order}", fix=f"Give 1 to {_MAX_ORDER}.")
        bleu_tokenizer(self.tokenize)

    @property
    def criteria(self) -> tuple[str, ...]:
        """``bleu``."""
        return ("bleu",)

    def signature(self, references: int | None = None, *, effective_order: bool = True) -> str:
        """What made the number, as sacrebleu writes it; ``effective_order`` is False for a corpus score."""
        smooth: str = self.smooth_method
        if self.smooth_method in _DEFAULT_VALUE:
            smooth += f"[{_smoothing_value(self.smooth_method, self.smooth_value):.2f}]"
        return signature(
            ("nrefs", references or "var"),
            ("case", "lc" if self.lowercase else "mixed"),
            ("eff", effective_order),
            ("tok", self.tokenize),
            ("smooth", smooth),
            ("order", None if self.max_ngram_order == _ORDER else self.max_ngram_order),
            version=package_version("sacrebleu"),
        )

    def statistics(self, texts: Sequence[Texts]) -> list[tuple[int, ...]]:
        """The sufficient statistics of each reply: see :func:`bleu_statistics`."""
        return bleu_statistics(texts, bleu_tokenizer(self.tokenize, self.lowercase), self.max_ngram_order)

    def value(self, statistics: Sequence[float], *, effective_order: bool) -> float:
        """BLEU of summed statistics, 0 … 100."""
        return bleu(statistics, effective_order, self.smooth_method, self.smooth_value)

    def corpus_value(self, totals: Sequence[float]) -> float:
        """Corpus BLEU. It is 0 where no 4-gram of the whole corpus could match, as in very short replies."""
        return self.value(totals, effective_order=False)

    def corpus_signature(self, column: Column) -> str:  # noqa: ARG002
        """The signature without effective order."""
        return self.signature(effective_order=False)

    def score_texts(self, texts: Sequence[Texts]) -> list[Row]:
        """Sentence BLEU of each reply, with a warning where the tokenizer can't divide it into words."""
        rows: list[Row] = []
        for text, statistics in zip(texts, self.statistics(texts), strict=True):
            unfit = self.tokenize in _SPACED_TOKENIZERS and has_unspaced(text.hypothesis)
            extra = {"warning": NOT_DIVIDED} if unfit else None
            rows.append((Score(self.value(statistics, effective_order=True), stats=statistics, extra=extra),))
        return rows


def bleu_statistics(texts: Sequence[Texts], tokenizer: Tokenizer, order: int) -> list[tuple[int, ...]]:
    """Per reply: its length, the closest reference length, then the matched and the total n-grams by order."""
    book = codebook(tokenizer)
    hypotheses = book.encode(text.hypothesis for text in texts)
    references = [book.encode(text.references) for text in texts]
    lengths = [
        (len(hypothesis), _closest(len(hypothesis), map(len, others)))
        for hypothesis, others in zip(hypotheses, references, strict=True)
    ]
    matched = clipped_matches(hypotheses, references, order)
    rows: list[list[int]] = np.hstack(
        [np.asarray(lengths), matched, ngram_totals(hypotheses, order)]
    ).tolist()
    return [tuple(row) for row in rows]


def bleu(
    statistics: Sequence[float],
    effective_order: bool,
    smooth_method: Smoothing = "exp",
    smooth_value: float | None = None,
) -> float:
    """BLEU from its sufficient statistics (see :func:`bleu_statistics`), 0 … 100.

    ``effective_order`` leaves out the orders for which the reply is too short. Smoothing after Chen and Cherry 2014:
    ``floor`` replaces no match by ``smooth_value``, ``add-k`` adds it from the second order on, ``exp`` halves the
    precision for each order without a match.
    """
    order = (len(statistics) - 2) // 2
    length, reference_length = int(statistics[0]), int(statistics[1])
    matched, total = list(statistics[2 : 2 + order]), list(statistics[2 + order :])
    if not any(matched):
        return 0.0
    if smooth_method == "add-k":
        k = _smoothing_value(smooth_method, smooth_value)
        matched[1:] = [hits + k for hits in matched[1:]]
        total[1:] = [ngrams + k for ngrams in total[1:]]
    precisions = _precisions(matched, total, smooth_method, smooth_value)
    if effective_order:
        order = len(precisions)
    else:
        precisions += [0.0] * (order - len(precisions))
    logs = [math.log(p) if p != 0.0 else _LOG_OF_ZERO for p in precisions]
    return _brevity_penalty(length, reference_length) * math.exp(sum(logs) / order)


def _precisions(
    matched: Sequence[float], total: Sequence[float], smooth_method: Smoothing, smooth_value: float | None
) -> list[float]:
    """Smoothed n-gram precisions in percent, up to the last order that the reply is long enough for."""
    precisions = []
    halving = 1.0
    for hits, ngrams in zip(matched, total, strict=True):
        if ngrams == 0:
            break
        if hits:
            precisions.append(100.0 * hits / ngrams)
        elif smooth_method == "exp":
            halving *= 2
            precisions.append(100.0 / (halving * ngrams))
        elif smooth_method == "floor":
            precisions.append(100.0 * _smoothing_value(smooth_method, smooth_value) / ngrams)
        else:
            precisions.append(0.0)
    return precisions


def _smoothing_value(smooth_method: Smoothing, given: float | None) -> float:
    return _DEFAULT_VALUE.get(smooth_method, 0.0) if given is None else given


def _brevity_penalty(length: int, reference_length: int) -> float:
    if length >= reference_length:
        return 1.0
    return math.exp(1 - reference_length / length) if length > 0 else 0.0


def _closest(length: int, reference_lengths: Iterable[int]) -> int:
    """The reference length nearest to ``length``; the shorter of two as near."""
    return min(reference_lengths, key=lambda other: (abs(length - other), other))
