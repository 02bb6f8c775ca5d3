"""How much faster the reference metrics are than plain loops over rouge-score and sacrebleu, with equal values.

    python bench/metrics.py                 # all ratios, one core, about a minute and a half
    python bench/metrics.py --pairs 5000    # more pairs per round

Texts are drawn anew for every round (replies of a support agent: Zipfian words, inflections, punctuation, numbers), so
that no cache of whole texts helps either side; words repeat, as they do in a corpus. The first round is cold. Times are
CPU seconds of this process; the values of both sides are compared bit by bit.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from evalharness.core.dialogue import Dialogue, Item, Message
from evalharness.core.scores import Score
from evalharness.metrics.bleu import Bleu
from evalharness.metrics.chrf import Chrf
from evalharness.metrics.reference import ReferenceMetric
from evalharness.metrics.rouge import Rouge
from evalharness.metrics.ter import Ter

BLOCK = 200
TYPES = ("rouge1", "rouge2", "rougeL")
Pair = tuple[str, str]
Values = list[tuple[float, ...]]


class Talk:
    """Draws replies and references like those of a dialogue log."""

    COMMON = (
        "the to you your i is a it we and of for that in can be on this have not will with my are as do at if or "
        "please thank was sorry so our no but what from they would there has by an when here any more one then just"
    )
    ENDINGS = ("", "", "", "s", "ed", "ing", "ly", "er", "ation", "ment", "ness", "able")

    def __init__(self, seed: int, words: int = 12_000) -> None:
        self._rng = random.Random(seed)
        self._words = self.COMMON.split()
        seen = set(self._words)
        while len(self._words) < words:
            stem = "".join(self._rng.choice(("b", "c", "d", "f", "l", "m", "n", "p", "r", "s", "t", "st", "tr"))
                           + self._rng.choice("aeiou") for _ in range(self._rng.randint(1, 3)))  # fmt: skip
            word = stem + self._rng.choice(("n", "t", "r", "l", "d", "")) + self._rng.choice(self.ENDINGS)
            if word not in seen:
                seen.add(word)
                self._words.append(word)
        self._weights = list(accumulate(1 / (rank + 2.7) for rank in range(words)))

    def _draw(self, count: int) -> list[str]:
        return self._rng.choices(self._words, cum_weights=self._weights, k=count)

    def _sentence(self) -> str:
        words = self._draw(self._rng.randint(4, 16))
        if self._rng.random() < 0.25:
            words[-1] = f"{self._rng.randint(1, 99)}.{self._rng.randint(10, 99)}"
        if self._rng.random() < 0.3:
            words[len(words) // 2] += ","
        if self._rng.random() < 0.15:
            words[0] += "'s"
        return " ".join(words).capitalize() + self._rng.choice("...?!")

    def pair(self) -> Pair:
        """A reply and its reference, which share about half of their words."""
        reference = " ".join(self._sentence() for _ in range(self._rng.randint(1, 4)))
        words = [
            w if self._rng.random() < 0.6 else self._draw(1)[0]
            for w in reference.split()
            if self._rng.random() < 0.9
        ]
        return " ".join(words), reference


@dataclass
class Race:
    """A library's loop against ours."""

    title: str
    bar: float | None
    theirs: Callable[[Sequence[Pair]], Values]
    metric: ReferenceMetric

    def round(self, pairs: Sequence[Pair]) -> tuple[float, float]:
        """CPU seconds of the library and of ours; an assertion fails where a bit differs."""
        items = [_item(number, pair) for number, pair in enumerate(pairs)]
        seconds, expected = _timed(partial(self.theirs, pairs))
        own_seconds, values = _timed(partial(score_blocks, self.metric, items))
        assert values == expected, f"{self.title}: values differ"
        return seconds, own_seconds


def score_blocks(metric: ReferenceMetric, items: Sequence[Item]) -> Values:
    """The values of the items, scored block by block as the engine does."""
    values: Values = []
    for start in range(0, len(items), BLOCK):
        rows = metric.score_many(items[start : start + BLOCK])
        values += [tuple(float(result.value) for result in row if isinstance(result, Score)) for row in rows]
    return values


def races() -> Iterator[Race]:
    rouge = RougeScorer(list(TYPES), use_stemmer=True)
    bleu = sacrebleu.BLEU(effective_order=True)
    yield Race(
        "ROUGE-1/2/L, stemmed", 10, lambda pairs: [_rouge(rouge, *pair) for pair in pairs], Rouge(stem=True)
    )
    yield Race(
        "BLEU, sentence_bleu", 2, lambda ps: [(sacrebleu.sentence_bleu(h, [r]).score,) for h, r in ps], Bleu()
    )
    yield Race(
        "BLEU, one BLEU object", 2, lambda ps: [(bleu.sentence_score(h, [r]).score,) for h, r in ps], Bleu()
    )
    for name, word_order in (("chrF", 0), ("chrF++", 2)):
        chrf = sacrebleu.CHRF(word_order=word_order)
        yield Race(name, 1.5, partial(_chrf, chrf), Chrf(word_order=word_order))
    ter = sacrebleu.TER()
    yield Race("TER", None, lambda ps: [(ter.sentence_score(h, [r]).score,) for h, r in ps], Ter())


def _chrf(chrf: sacrebleu.CHRF, pairs: Sequence[Pair]) -> Values:
    return [(chrf.sentence_score(hypothesis, [reference]).score,) for hypothesis, reference in pairs]


def _rouge(scorer: RougeScorer, hypothesis: str, reference: str) -> tuple[float, ...]:
    scores = scorer.score(reference, hypothesis)
    return tuple(scores[name].fmeasure for name in TYPES)


def _item(number: int, pair: Pair) -> Item:
    messages = (Message("user", "?"), Message("assistant", pair[0], references=(pair[1],)))
    return Item(Dialogue(str(number), messages), 1)


def _timed(run: Callable[[], Values]) -> tuple[float, Values]:
    gc.collect()
    gc.freeze()
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def run_race(race: Race, talk: Talk, pairs: int, rounds: int) -> bool:
    """Print one line; whether the bar is cleared over all rounds together."""
    count = pairs if race.title != "TER" else max(pairs // 20, 1)
    times = [race.round([talk.pair() for _ in range(count)]) for _ in range(rounds)]
    ratios = [theirs / ours for theirs, ours in times]
    overall = sum(theirs for theirs, _ in times) / sum(ours for _, ours in times)
    micro = [1e6 * sum(column) / (count * rounds) for column in zip(*times, strict=True)]
    bar = "" if race.bar is None else f"   bar {race.bar:g}: {'cleared' if overall >= race.bar else 'MISSED'}"
    print(
        f"{race.title:<24}{micro[0]:>9.1f}{micro[1]:>9.1f} {overall:>8.1f} {ratios[0]:>8.1f}"
        f" {statistics.median(ratios[1:] or ratios):>8.1f}{bar}",
        flush=True,
    )
    return race.bar is None or overall >= race.bar


def long_texts(talk: Talk) -> None:
    """ROUGE-L of two texts of 6,000 words, which takes rouge-score a table of 36 million cells."""
    words = [
        " ".join(" ".join(pair[0] for pair in (talk.pair() for _ in range(400))).split()[:6000])
        for _ in range(2)
    ]
    scorer = RougeScorer(["rougeL"])
    seconds, expected = _timed(lambda: [(scorer.score(words[1], words[0])["rougeL"].fmeasure,)])
    own_seconds, values = _timed(lambda: score_blocks(Rouge(("rougeL",)), [_item(0, (words[0], words[1]))]))
    assert values == expected
    print(f"\nROUGE-L, 6,000 × 6,000 words: {seconds:.1f} s against {own_seconds * 1000:.1f} ms")


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Ratios of CPU time: rouge-score and sacrebleu by evalharness."
    )
    parser.add_argument("--pairs", type=int, default=2000, help="pairs per round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--cores", type=int, default=1, help="also measure throughput with this many processes"
    )
    options = parser.parse_args()
    talk = Talk(options.seed)
    print(f"{'':<24}{'library':>9}{'ours':>9} {'ratio':>8} {'first':>8} {'later':>8}")
    print(f"{'':<24}{'µs/pair':>9}{'µs/pair':>9} {'overall':>8} {'round':>8} {'rounds':>8}")
    cleared = [run_race(race, talk, options.pairs, options.rounds) for race in races()]
    long_texts(talk)
    return 0 if all(cleared) else 1


if __name__ == "__main__":
    sys.exit(main())
