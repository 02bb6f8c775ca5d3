"""The pycocoevalcap variants, against their definitions written out plainly."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.core.scores import Score
from evalharness.metrics.coco import CocoBleu, CocoRougeL
from tests.metrics.replies import pairs, turn, value

Pair = tuple[str, tuple[str, ...]]


def grams(tokens: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def plain_counts(pair: Pair) -> tuple[int, int, list[int], list[int]]:
    hypothesis, references = pair[0].split(), [reference.split() for reference in pair[1]]
    closest = min((abs(len(reference) - len(hypothesis)), len(reference)) for reference in references)[1]
    guess = [max(0, len(hypothesis) - n) for n in range(4)]
    correct = []
    for n in range(1, 5):
        most: Counter[tuple[str, ...]] = Counter()
        for reference in references:
            most |= grams(reference, n)
        correct.append((grams(hypothesis, n) & most).total())
    return len(hypothesis), closest, correct, guess


def plain_bleu(length: int, closest: int, correct: list[int], guess: list[int]) -> float:
    bleu = 1.0
    for matched, total in zip(correct, guess, strict=True):
        bleu *= (float(matched) + 1e-15) / (float(total) + 1e-9)
    score: float = bleu ** (1.0 / 4)
    ratio = (length + 1e-15) / (closest + 1e-9)
    return score * math.exp(1 - 1 / ratio) if ratio < 1 else score


def plain_lcs(first: list[str], second: list[str]) -> int:
    row = [0] * (len(second) + 1)
    for token in first:
        previous = row
        row = [0]
        for j, other in enumerate(second, 1):
            row.append(previous[j - 1] + 1 if token == other else max(previous[j], row[-1]))
    return row[-1]


def plain_rouge_l(pair: Pair) -> float:
    hypothesis, references = pair[0].split(), [reference.split() for reference in pair[1]]
    lengths = [(plain_lcs(reference, hypothesis), len(reference)) for reference in references]
    if not any(length for length, _ in lengths):
        return 0.0
    precision = max(length / float(len(hypothesis)) for length, _ in lengths)
    recall = max(length / float(size) for length, size in lengths if size)
    return ((1 + 1.2**2) * precision * recall) / float(recall + 1.2**2 * precision)


@given(pairs())
def test_bleu_of_a_reply(pair: Pair) -> None:
    assert value(CocoBleu(), pair[0], *pair[1]) == plain_bleu(*plain_counts(pair))


@given(pairs())
def test_rouge_l_of_a_reply(pair: Pair) -> None:
    assert value(CocoRougeL(), pair[0], *pair[1]) == plain_rouge_l(pair)


@given(st.lists(pairs(), min_size=1, max_size=5))
def test_corpus_bleu_comes_from_summed_counts(corpus: list[Pair]) -> None:
    rows = CocoBleu().score_many([turn(pair[0], *pair[1]) for pair in corpus])
    totals = [
        sum(column)
        for column in zip(*(row[0].stats for row in rows if isinstance(row[0], Score)), strict=True)
    ]
    lengths, closests, corrects, guesses = zip(*map(plain_counts, corpus), strict=True)
    correct = [sum(column) for column in zip(*corrects, strict=True)]
    guess = [sum(column) for column in zip(*guesses, strict=True)]
    expected = plain_bleu(sum(lengths), sum(closests), correct, guess)
    assert CocoBleu().corpus(CocoBleu().columns[0], totals) == expected


def test_values_by_hand() -> None:
    """Three of four words in order: precision 3/4, recall 3/5, weighed 1 to 1.44."""
    assert value(CocoRougeL(), "a b c x", "a b c d e") == pytest.approx(
        2.44 * 0.75 * 0.6 / (0.6 + 1.44 * 0.75)
    )
    assert value(CocoBleu(), "a b c d", "a b c d") == pytest.approx(1.0)
    assert value(CocoBleu(), "a b c", "a b c") == pytest.approx((1e-15 / 1e-9) ** 0.25, rel=1e-6)


def test_precision_and_recall_may_come_from_different_references() -> None:
    assert value(CocoRougeL(), "a b", "a b c d", "a") == pytest.approx(1.0)


def test_names() -> None:
    assert CocoBleu().columns[0].criterion == "bleu:coco"
    assert CocoRougeL().columns[0].criterion == "rougeL:coco"
    assert "beta:1.2" in CocoRougeL().columns[0].signature
