"""ROUGE-1, -2, -L and -Lsum (Lin 2004) with the F values of rouge-score, to the last bit, 0 … 1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from evalharness.core.registry import unknown_name
from evalharness.core.scores import Cause, Failure, Result, Score
from evalharness.errors import UsageError
from evalharness.metrics.coding import Codebook, codebook
from evalharness.metrics.lcs import lcs_length, union_lcs
from evalharness.metrics.ngrams import clipped_matches
from evalharness.metrics.reference import MeanMetric, Row, Texts
from evalharness.metrics.signature import SURFACE_VERSION, package_version, signature
from evalharness.metrics.tokenizers import word_tokenizer

TYPES = ("rouge1", "rouge2", "rougeL", "rougeLsum")

NO_TOKENS = (
    "the tokenizer leaves nothing of the text, so its score is 0 whatever it says; try tokenizer=unicode"
)
FEW_TOKENS = "the tokenizer drops most letters of the text; try tokenizer=unicode"

_MAX_UNION_STEPS = 10_000_000  # sentences of a reference times tokens of a reply: some ten seconds
_MAX_UNION_BITS = 800_000_000  # a table of 100 MB


@dataclass(frozen=True)
class Rouge(MeanMetric):
    """The F values of the chosen ROUGE types of each reply; the corpus score is their mean.

    Several references: the best F over the references, for each type by itself (rouge-score's ``score_multi``).
    ``stem`` is Porter's stemmer for words of more than three letters. ROUGE-Lsum takes the lines of a text for its
    sentences.
    """

    types: tuple[str, ...] = ("rouge1", "rouge2", "rougeL")
    tokenizer: str = "ascii"
    stem: bool = False

    def __post_init__(self) -> None:
        for name in self.types:
            if name not in TYPES:
                raise unknown_name("ROUGE type", name, TYPES)
        if not self.types or len(set(self.types)) < len(self.types):
            raise UsageError(f"ROUGE types {', '.join(self.types) or '(none)'}", fix="Name each type once.")
        word_tokenizer(self.tokenizer, self.stem)

    @property
    def criteria(self) -> tuple[str, ...]:
        """The types."""
        return self.types

    def signature(self, references: int | None = None) -> str:
        """What made the numbers; ``references`` is their number per reply."""
        return signature(
            ("nrefs", references or "var"),
            ("agg", "best-f"),
            ("stem", self.stem),
            ("tok", self.tokenizer if self.tokenizer == "ascii" else f"{self.tokenizer}-{SURFACE_VERSION}"),
            version=f"rouge-score-{package_version('rouge-score')}",
        )

    def score_texts(self, texts: Sequence[Texts]) -> list[Row]:
        """The F values of each reply, with a warning where the tokenizer makes little of a text."""
        book = codebook(word_tokenizer(self.tokenizer, self.stem))
        batch = _Batch(texts, book, order=2 if "rouge2" in self.types else 1)
        warnings = batch.warnings() if self.tokenizer == "ascii" else [None] * len(texts)
        columns = [
            [_result(value, warning) for value, warning in zip(batch.best(name), warnings, strict=True)]
            for name in self.types
        ]
        return list(zip(*columns, strict=True))


class _Batch:
    """Texts and their coded tokens: each reply against each of its references."""

    def __init__(self, texts: Sequence[Texts], book: Codebook, order: int) -> None:
        self._texts = texts
        self._book = book
        self._order = order
        self._hypotheses = book.encode(text.hypothesis for text in texts)
        self._references = [book.encode(text.references) for text in texts]
        both = zip(self._hypotheses, self._references, strict=True)
        self._pairs = [(hypothesis, reference) for hypothesis, others in both for reference in others]

    def best(self, name: str) -> list[float | None]:
        """For each reply the best F over its references; None where the texts are too long for it."""
        match name:
            case "rougeL":
                values = [rouge_l(hypothesis, reference) for hypothesis, reference in self._pairs]
            case "rougeLsum":
                return [self._best_summary(text) for text in self._texts]
            case _:
                values = self._ngram_values(int(name[-1]))
        if len(values) == len(self._texts):
            return list(values)
        each = iter(values)
        return [max(islice(each, len(others))) for others in self._references]

    def warnings(self) -> list[str | None]:
        """For each reply what to tell when the tokenizer makes little of it or of its references."""
        rows = zip(self._texts, self._hypotheses, self._references, strict=True)
        return [_warning((text.hypothesis, *text.references), (own, *others)) for text, own, others in rows]

    @cached_property
    def _matches(self) -> list[list[int]]:
        hypotheses = [hypothesis for hypothesis, _ in self._pairs]
        counts: list[list[int]] = clipped_matches(
            hypotheses, [(r,) for _, r in self._pairs], self._order
        ).tolist()
        return counts

    def _ngram_values(self, n: int) -> list[float]:
        return [
            f_measure(matched[n - 1], len(hypothesis) - n + 1, len(reference) - n + 1)
            for (hypothesis, reference), matched in zip(self._pairs, self._matches, strict=True)
        ]

    def _best_summary(self, text: Texts) -> float | None:
        lines = self._book.encode(text.hypothesis.split("\n"))
        values = []
        for reference in text.references:
            value = rouge_lsum(lines, self._book.encode(reference.split("\n")))
            if value is None:
                return None
            values.append(value)
        return max(values)


def f_measure(matched: int, in_reply: int, in_reference: int) -> float:
    """The harmonic mean of precision and recall, 0 … 1; 0 where nothing could match."""
    if not matched:
        return 0.0
    precision = matched / in_reply
    recall = matched / in_reference
    return 2 * precision * recall / (precision + recall)


def rouge_l(hypothesis: str, reference: str) -> float:
    """ROUGE-L F of coded texts."""
    return f_measure(lcs_length(hypothesis, reference), len(hypothesis), len(reference))


def rouge_lsum(hypothesis: Sequence[str], reference: Sequence[str]) -> float | None:
    """ROUGE-Lsum F of coded sentences; None where it would take too much time or memory.

    A reference sentence is hit where a token lies in its longest common subsequence with any sentence of the reply,
    each token at most as often as both texts have it.
    """
    replied, wanted = "".join(hypothesis), "".join(reference)
    longest = max(map(len, hypothesis)) * max(map(len, reference))
    if len(reference) * len(replied) > _MAX_UNION_STEPS or longest > _MAX_UNION_BITS:
        return None
    left = Counter(replied) & Counter(wanted)
    hits = 0
    for sentence in reference:
        for position in union_lcs(sentence, hypothesis):
            token = sentence[position]
            if left[token] > 0:
                left[token] -= 1
                hits += 1
    return f_measure(hits, len(replied), len(wanted))


def _result(value: float | None, warning: str | None) -> Result:
    if value is None:
        return Failure(Cause.TOO_LONG, "the union of longest common subsequences would take too long")
    return Score(value, stats=(value, 1.0), extra={"warning": warning} if warning else None)


def _warning(texts: Iterable[str], coded: Iterable[str]) -> str | None:
    for text, tokens in zip(texts, coded, strict=True):
        if not tokens and text.strip():
            return NO_TOKENS
        if not text.isascii() and _mostly_dropped(text):
            return FEW_TOKENS
    return None


def _mostly_dropped(text: str) -> bool:
    """Whether more letters and digits of the text are outside ASCII than in it."""
    return 2 * sum(char.isalnum() for char in text if not char.isascii()) > sum(map(str.isalnum, text))
