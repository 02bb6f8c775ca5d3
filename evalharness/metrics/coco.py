"""The variants of BLEU-4 and ROUGE-L in pycocoevalcap, which published tables on dialogue data use; both in 0 … 1.

They are not sacrebleu's and rouge-score's values: words are what stands between white space, case and punctuation
count, BLEU has no smoothing but two small constants, and ROUGE-L weighs recall 1.2 times.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalharness.core.scores import Score
from evalharness.metrics.bleu import bleu_statistics
from evalharness.metrics.coding import codebook
from evalharness.metrics.lcs import lcs_length
from evalharness.metrics.reference import MeanMetric, ReferenceMetric, Row, Texts
from evalharness.metrics.signature import signature
from evalharness.metrics.tokenizers import Spaces

_TINY = 1e-15
_SMALL = 1e-9
_ORDER = 4
_BETA = 1.2
_VERSION = "pycocoevalcap-1.2"


@dataclass(frozen=True)
class CocoBleu(ReferenceMetric):
    """Sentence BLEU-4 of pycocoevalcap, and its corpus BLEU-4.

    Several references: an n-gram may match as often as in the reference that has it most often; the brevity penalty
    takes the reference whose length is closest (the shorter one of two as close).
    """

    @property
    def criteria(self) -> tuple[str, ...]:
        """``bleu:coco``."""
        return ("bleu:coco",)

    def signature(self, references: int | None = None) -> str:
        """What made the number; ``references`` is their number per reply."""
        options = (("order", _ORDER), ("tiny", _TINY), ("small", _SMALL))
        return signature(("nrefs", references or "var"), ("tok", "space"), *options, version=_VERSION)

    def corpus_value(self, totals: Sequence[float]) -> float:
        """BLEU-4 of the summed statistics."""
        return coco_bleu(totals)

    def score_texts(self, texts: Sequence[Texts]) -> list[Row]:
        """BLEU-4 of each reply."""
        return [(Score(coco_bleu(row), stats=row),) for row in bleu_statistics(texts, Spaces(), _ORDER)]


@dataclass(frozen=True)
class CocoRougeL(MeanMetric):
    """ROUGE-L of pycocoevalcap; the corpus score is the mean.

    Several references: the best precision and the best recall, which may come from different ones.
    """

    @property
    def criteria(self) -> tuple[str, ...]:
        """``rougeL:coco``."""
        return ("rougeL:coco",)

    def signature(self, references: int | None = None) -> str:
        """What made the number; ``references`` is their number per reply."""
        return signature(("nrefs", references or "var"), ("tok", "space"), ("beta", _BETA), version=_VERSION)

    def score_texts(self, texts: Sequence[Texts]) -> list[Row]:
        """ROUGE-L of each reply."""
        book = codebook(Spaces())
        hypotheses = book.encode(text.hypothesis for text in texts)
        rows = zip(hypotheses, (book.encode(text.references) for text in texts), strict=True)
        values = [coco_rouge_l(hypothesis, references) for hypothesis, references in rows]
        return [(Score(value, stats=(value, 1.0)),) for value in values]


def coco_bleu(statistics: Sequence[float]) -> float:
    """BLEU-4 with 1e-15 added above and 1e-9 below each fraction, from :func:`bleu_statistics`."""
    length, closest = statistics[:2]
    product = 1.0
    for matched, total in zip(statistics[2 : 2 + _ORDER], statistics[2 + _ORDER :], strict=True):
        product *= (float(matched) + _TINY) / (float(total) + _SMALL)
    value: float = product ** (1.0 / _ORDER)
    ratio = (length + _TINY) / (closest + _SMALL)
    return value * math.exp(1 - 1 / ratio) if ratio < 1 else value


def coco_rouge_l(hypothesis: str, references: Sequence[str]) -> float:
    """ROUGE-L of coded texts from the best precision and the best recall over the references."""
    lengths = [lcs_length(hypothesis, reference) for reference in references]
    if not any(lengths):
        return 0.0
    precision = max(length / len(hypothesis) for length in lengths)
    recall = max(
        length / len(reference) for length, reference in zip(lengths, references, strict=True) if reference
    )
    return ((1 + _BETA**2) * precision * recall) / (recall + _BETA**2 * precision)
