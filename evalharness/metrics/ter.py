"""Translation edit rate (Snover et al. 2006) with the values of sacrebleu, to the last bit: edits per 100 words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from evalharness.core.scores import Cause, Failure, Result, Score
from evalharness.metrics.coding import codebook
from evalharness.metrics.editrate import edits
from evalharness.metrics.reference import ReferenceMetric, Row, Texts
from evalharness.metrics.signature import package_version, signature
from evalharness.metrics.tokenizers import has_unspaced, uncached

NOT_DIVIDED = (
    "text without spaces is one word to ter; try ter(normalized=true,asian_support=true) for Chinese"
)

_MAX_WORDS = 10_000


@dataclass(frozen=True, slots=True)
class TercomTokens:
    """The tokenizer of Tercom as sacrebleu has it."""

    normalized: bool = False
    no_punct: bool = False
    asian_support: bool = False
    case_sensitive: bool = False
    name: str = "tercom"

    def prepare(self, text: str) -> str:
        """The text in lower case and normalized, as far as the options say."""
        if self.normalized or self.no_punct:
            return _tercom(self)(text.rstrip())
        return text if self.case_sensitive else text.lower()

    def split(self, chunk: str) -> tuple[str]:
        """The chunk itself: it is a token already."""
        return (chunk,)


@dataclass(frozen=True)
class Ter(ReferenceMetric):
    """TER of each reply, and corpus TER from the summed statistics; lower is better, and it can exceed 100.

    Several references: the fewest edits over the references, divided by the mean length of all references.
    """

    high: ClassVar[float | None] = None
    higher_is_better: ClassVar[bool] = False

    normalized: bool = False
    no_punct: bool = False
    asian_support: bool = False
    case_sensitive: bool = False

    @property
    def criteria(self) -> tuple[str, ...]:
        """``ter``."""
        return ("ter",)

    def signature(self, references: int | None = None) -> str:
        """What made the number, as sacrebleu writes it; ``references`` is their number per reply."""
        return signature(
            ("nrefs", references or "var"),
            ("case", "mixed" if self.case_sensitive else "lc"),
            ("tok", "tercom"),
            ("norm", self.normalized),
            ("punct", not self.no_punct),
            ("asian", self.asian_support),
            version=package_version("sacrebleu"),
        )

    def score_texts(self, texts: Sequence[Texts]) -> list[Row]:
        """TER of each reply; a failure where it or a reference has more than 10,000 words.

        A score carries a warning where the reply has no spaces between its words.
        """
        tokens = TercomTokens(self.normalized, self.no_punct, self.asian_support, self.case_sensitive)
        book = codebook(tokens)
        hypotheses = book.encode(text.hypothesis for text in texts)
        # sacrebleu prepares references twice, and its normalization changes some texts again the second time.
        references = (book.encode(map(tokens.prepare, text.references)) for text in texts)
        divides = self.normalized and self.asian_support
        unfit = [not divides and has_unspaced(text.hypothesis) for text in texts]
        return [(_result(*row),) for row in zip(hypotheses, references, unfit, strict=True)]

    def corpus_value(self, totals: Sequence[float]) -> float:
        """The edits of all replies by the summed mean lengths of their references."""
        return ter(*totals)


def ter(fewest_edits: float, reference_words: float) -> float:
    """TER in percent; 100 where words stand against an empty reference, 0 where both are empty."""
    if reference_words > 0:
        return 100 * (fewest_edits / reference_words)
    return 100.0 if fewest_edits > 0 else 0.0


def _result(hypothesis: str, references: Sequence[str], unfit: bool) -> Result:
    longest = max(len(hypothesis), *map(len, references))
    if longest > _MAX_WORDS:
        return Failure(Cause.TOO_LONG, f"a text of {longest:,} words; the limit of ter is {_MAX_WORDS:,}")
    fewest = min(edits(hypothesis, reference) for reference in references)
    words = sum(map(len, references)) / len(references)
    return Score(ter(fewest, words), stats=(fewest, words), extra={"warning": NOT_DIVIDED} if unfit else None)


@cache
def _tercom(options: TercomTokens) -> Callable[[str], str]:
    from sacrebleu.tokenizers.tokenizer_ter import TercomTokenizer

    return uncached(
        TercomTokenizer(
            normalized=options.normalized,
            no_punct=options.no_punct,
            asian_support=options.asian_support,
            case_sensitive=options.case_sensitive,
        )
    )
