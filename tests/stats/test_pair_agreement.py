import csv
import gzip
import json
from collections import defaultdict

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from evalharness.errors import InputError
from evalharness.stats.kappa import cohen_kappa
from evalharness.stats.pair_agreement import (
    FIRST,
    SECOND,
    agreement_among,
    agreement_with,
    canonical_votes,
    swap_consistency,
)
from tests.research import research_file

CODE = {"model_a": 1, "tie": 0, "tie (inconsistent)": 0, "model_b": -1}


def mt_bench(turn: int) -> tuple[list[int], list[str], list[int], list[int], list[int]]:
    """Item, rater, vote and GPT-4's vote of every expert vote of a turn, and the question behind it."""
    rows = [json.loads(line) for line in research_file("mt-bench-human/pairs.jsonl").read_text().splitlines()]
    votes = [
        (item, vote["judge"], CODE[vote["winner"]], row["gpt4"], row["question_id"])
        for item, row in enumerate(rows)
        if row["turn"] == turn
        for vote in row["votes"]
        if vote["judge"].startswith("expert")
    ]
    return tuple(map(list, zip(*votes, strict=True)))


@pytest.mark.parametrize(
    ("turn", "with_ties", "without_ties", "judge_with", "judge_without"),
    [
        (1, (454, 721), (388, 479), (886, 1343), (727, 859)),
        (2, (471, 707), (388, 474), (871, 1325), (731, 864)),
    ],
)
def test_mt_bench(turn: int, with_ties, without_ties, judge_with, judge_without) -> None:
    item, rater, vote, gpt4, question = mt_bench(turn)
    humans = agreement_among(item, rater, vote, question)
    assert (humans.agreeing, humans.pairs) == with_ties
    assert (humans.agreeing_without_ties, humans.pairs_without_ties) == without_ties
    judged = [k for k, verdict in enumerate(gpt4) if verdict is not None]
    judge = agreement_with(
        [CODE[gpt4[k]] for k in judged], [vote[k] for k in judged], [question[k] for k in judged]
    )
    assert (judge.agreeing, judge.pairs) == judge_with
    assert (judge.agreeing_without_ties, judge.pairs_without_ties) == judge_without
    assert judge.share_dropped == pytest.approx(1 - judge_without[1] / judge_with[1])
    assert judge.with_ties.groups == 80


def test_mt_bench_annotators_of_the_alternative_test() -> None:
    data = json.loads(gzip.decompress(research_file("alt-test/mtbench.human.json.gz").read_bytes()))
    votes = [(item, rater, CODE[vote]) for rater, given in data.items() for item, vote in given.items()]
    found = agreement_among(*zip(*votes, strict=True))
    assert (found.pairs, f"{found.with_ties.value:.3f}") == (132, "0.659")
    assert (found.pairs_without_ties, f"{found.without_ties.value:.3f}") == (73, "0.904")


@pytest.mark.parametrize(
    ("subset", "n", "counts", "kappa"),
    [
        ("LLMBar/Natural", 100, (95, 96, 95), 0.897708674),
        ("LLMBar/Adversarial/GPTInst", 92, (78, 81, 87), 0.8909952607),
        ("LLMBar/Adversarial/Neighbor", 134, (104, 107, 125), 0.8651308),
    ],
)
def test_llmbar_kappa_between_orders(subset: str, n: int, counts: tuple[int, int, int], kappa: float) -> None:
    """Published kappas of that repository are wrong: its winners "2" fell off the list and became 0."""
    with research_file("llmbar/compact_verdicts.csv").open() as lines:
        rows = [
            row
            for row in csv.DictReader(lines)
            if row["subset"] == subset and row["judge"] == "GPT-4" and row["strategy"] == "Vanilla"
        ]
    label, forward, swapped = (
        np.array([int(row[field]) for row in rows])
        for field in ("label", "winner_order_ab", "winner_order_ba")
    )
    assert len(rows) == n
    assert ((forward == label).sum(), (swapped == label).sum(), (forward == swapped).sum()) == counts
    assert cohen_kappa(forward, swapped, [1, 2]).value == pytest.approx(kappa, abs=5e-8)
    with pytest.raises(InputError, match="outside the declared scale: 2"):
        cohen_kappa(forward, swapped, [0, 1])


# by share of human votes won
STRENGTH = ["gpt-4", "gpt-3.5-turbo", "claude-v1", "vicuna-13b-v1.2", "alpaca-13b", "llama-13b"]


def test_kappa_depends_on_who_is_called_first_and_the_symmetrised_one_does_not() -> None:
    """GPT-4 against the strict majority of all raters, ties out: .767 in alphabetical order, .450 by strength."""
    rows = [json.loads(line) for line in research_file("mt-bench-human/pairs.jsonl").read_text().splitlines()]
    judge, human, mirror = [], [], []
    for row in rows:
        votes = np.bincount([CODE[vote["winner"]] + 1 for vote in row["votes"]], minlength=3)
        if row["gpt4"] is None or (votes == votes.max()).sum() > 1:
            continue
        judge.append(CODE[row["gpt4"]])
        human.append(int(votes.argmax()) - 1)
        stronger_first = STRENGTH.index(row["model_a"]) < STRENGTH.index(row["model_b"])
        mirror.append(1 if stronger_first else -1)
    figures = []
    for turned in (np.ones(len(mirror), dtype=int), np.array(mirror)):
        x, y = np.array(judge) * turned, np.array(human) * turned
        clear = (x != 0) & (y != 0)
        plain = cohen_kappa(x[clear], y[clear], [-1, 1]).value
        figures.append((f"{plain:.3f}", f"{agreement_with(x, y).kappa_without_ties.value:.3f}"))
    assert figures == [("0.767", "0.768"), ("0.450", "0.768")]


@pytest.mark.parametrize(
    ("judge", "strategy", "natural", "adversarial"),
    [
        ("GPT-4", "Vanilla_NoRules", ("93.5", "97.0"), ("73.1", "89.0")),
        ("GPT-4", "Metrics_Reference", ("96.0", "96.0"), ("82.8", "88.2")),
        ("ChatGPT", "Vanilla", ("81.5", "71.0"), ("30.6", "61.3")),
    ],
)
def test_llmbar_table(
    judge: str, strategy: str, natural: tuple[str, str], adversarial: tuple[str, str]
) -> None:
    """Zeng et al. (2023), LLMBar: mean accuracy of both orders and their agreement; adversarial is a macro mean."""
    figures: dict[str, tuple[float, float]] = {}
    with research_file("llmbar/compact_verdicts.csv").open() as lines:
        chosen = [r for r in csv.DictReader(lines) if (r["judge"], r["strategy"]) == (judge, strategy)]
    for subset in {row["subset"] for row in chosen if row["subset"].startswith("LLMBar")}:
        rows = [row for row in chosen if row["subset"] == subset]
        label, forward, back = (
            np.array([CODE[f"model_{'ab'[int(row[field]) - 1]}"] for row in rows])
            for field in ("label", "winner_order_ab", "winner_order_ba")
        )
        right = [agreement_with(votes, label).with_ties.value for votes in (forward, back)]
        figures[subset] = (np.mean(right), 1 - swap_consistency(forward, -back).inconsistent.value)
    macro = np.mean([figure for subset, figure in figures.items() if "Adversarial" in subset], axis=0)
    assert tuple(f"{100 * value:.1f}" for value in figures["LLMBar/Natural"]) == natural
    assert tuple(f"{100 * value:.1f}" for value in macro) == adversarial


def test_every_run_of_llmbar() -> None:
    """All 499 recorded runs (judge, strategy, subset): accuracy of both orders, their agreement, and their kappa.

    118 of them have verdicts that could not be read: those are left out of the pair, never made a class.
    """
    runs: dict[tuple[str, str, str], list[tuple[str, ...]]] = defaultdict(list)
    with research_file("llmbar/compact_verdicts.csv").open() as lines:
        for row in csv.DictReader(lines):
            key = row["judge"], row["strategy"], row["subset"]
            runs[key].append(tuple(row[f] for f in ("label", "winner_order_ab", "winner_order_ba")))
    assert (len(runs), sum(map(len, runs.values()))) == (499, 40_413)
    assert sum(all(map(all, rows)) for rows in runs.values()) == 381
    for key, rows in runs.items():
        label, forward, back = np.array([row for row in rows if all(row)], dtype=int).T
        first, second, gold = (np.where(votes == 1, FIRST, SECOND) for votes in (forward, back, label))
        for winner, votes in ((forward, first), (back, second)):
            assert agreement_with(votes, gold).agreeing == (winner == label).sum(), key
        found = swap_consistency(first, -second).inconsistent
        assert found.value == pytest.approx(np.mean(forward != back)), key
        kappa = cohen_kappa(forward, back, [1, 2]).value
        if len({*forward, *back}) > 1:
            assert kappa == pytest.approx(cohen_kappa_score(forward, back, labels=[1, 2])), key
        else:
            assert kappa is None, key


SWAPS = {  # judge: inconsistent of n in English and Korean
    "Qwen2.5-7B": ((951, 1200), (539, 1196)),
    "Qwen2.5-14B": ((541, 1200), (279, 1200)),
    "Qwen2.5-32B": ((371, 1198), (245, 1199)),
    "EXAONE": ((506, 1200), (366, 1200)),
    "gpt": ((399, 1193), (259, 1200)),
    "gemma": ((234, 1180), (176, 1197)),
}


def test_order_inconsistency_of_six_judges() -> None:
    """kook222/mt_bench_repro, table 5; verdicts that could not be read are left out."""
    position = {"A": 1, "B": -1, "TIE": 0, "C": 0}
    text = gzip.decompress(research_file("mt-bench-positions/pairwise.csv.gz").read_bytes()).decode()
    rows = [row for row in csv.DictReader(text.splitlines()) if row["winner"] != "error"]
    for name, expected in SWAPS.items():
        for language, counts in zip(("en", "ko"), expected, strict=True):
            own = [
                r for r in rows if r["lang"] == language and r["judge_id"].lower().startswith(name.lower())
            ]
            votes = [[position[r[field].upper()] for r in own] for field in ("winner_ab", "winner_ba")]
            found = swap_consistency(votes[0], votes[1], [r["question_id"] for r in own])
            assert (len(own) - found.consistent_count, len(own)) == counts, (name, language)
            assert found.inconsistent.groups == 80
            if (name, language) in {("Qwen2.5-7B", "ko"), ("Qwen2.5-14B", "ko")}:
                assert found.first_count == {"Qwen2.5-7B": 485, "Qwen2.5-14B": 73}[name]


def test_every_pair_of_votes_counts() -> None:
    found = agreement_among([0, 0, 0, 1, 1, 2], ["a", "b", "c", "a", "b", "a"], [1, 1, 0, -1, -1, 1])
    assert (found.agreeing, found.pairs) == (2, 4)
    assert (found.agreeing_without_ties, found.pairs_without_ties) == (2, 2)
    assert found.share_dropped == pytest.approx(0.5)


def test_order_of_votes_and_naming_of_the_sides_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    items, raters = np.repeat(np.arange(50), 3), np.tile(np.arange(3), 50)
    votes = rng.integers(-1, 2, 150)
    order, mirror = rng.permutation(150), rng.choice([-1, 1], 50)[items]
    plain = agreement_among(items, raters, votes)
    for found in (
        agreement_among(items[order], raters[order], votes[order]),
        agreement_among(items, raters, -votes),
        agreement_among(items, raters, votes * mirror),
    ):
        assert (found.agreeing, found.pairs_without_ties) == (plain.agreeing, plain.pairs_without_ties)
        assert found.with_ties.se == pytest.approx(plain.with_ties.se)
        assert found.kappa.value == pytest.approx(plain.kappa.value)
        assert found.kappa.se == pytest.approx(plain.kappa.se)


def test_symmetrised_kappa_of_two_outcomes_is_twice_agreement_less_one() -> None:
    judge, human = [1] * 60 + [1] * 10 + [-1] * 20 + [-1] * 10, [1] * 60 + [-1] * 10 + [-1] * 20 + [1] * 10
    found = agreement_with(judge, human)
    assert found.without_ties.value == pytest.approx(0.8)
    assert found.kappa_without_ties.value == pytest.approx(0.6)
    assert cohen_kappa(judge, human, [-1, 1]).value == pytest.approx(0.52381, abs=1e-5)
    assert found.kappa_without_ties.se == pytest.approx(2 * found.without_ties.se)


def test_swapped_verdicts_are_turned_round() -> None:
    assert canonical_votes([1, 0, -1, 1], [True, True, True, False]).tolist() == [-1, 0, 1, 1]


def test_swap_consistency_counts() -> None:
    forward, swapped = [1, 1, -1, 0, 1, 0], [-1, 1, -1, 0, 0, 1]
    found = swap_consistency(forward, swapped)
    assert found.inconsistent.value == pytest.approx(4 / 6)
    assert (found.consistent_count, found.first_count, found.second_count, found.tie_count) == (2, 1, 1, 2)
    assert found.first_share == 0.5
    assert swap_consistency([1, 0], [-1, 0]).first_share is None


def test_wrong_votes_are_errors() -> None:
    with pytest.raises(InputError, match="votes outside 1, 0, -1: 2"):
        agreement_with([1, 2], [1, 1])
    with pytest.raises(ValueError, match="two votes"):
        agreement_among([0, 0], ["a", "a"], [1, 1])
    with pytest.raises(ValueError, match="differ in number"):
        agreement_with([1], [1, 1])
    with pytest.raises(ValueError, match="vector"):
        canonical_votes([[1]], [[True]])


def test_no_votes_no_figures() -> None:
    found = agreement_among([0, 1], ["a", "b"], [1, 1])
    assert found.pairs == 0
    assert found.with_ties.undefined == found.kappa.undefined == "no pair of votes"
    assert found.share_dropped is None
    ties = agreement_with([0, 0], [0, 0])
    assert ties.without_ties.value is None
    assert ties.kappa.undefined.startswith("a single category")
