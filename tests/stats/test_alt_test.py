import csv
import gzip
import json

import numpy as np
import pytest

from evalharness.errors import InputError
from evalharness.stats.alt_test import Closeness, alternative_annotator_test
from evalharness.stats.pair_agreement import agreement_among
from tests.research import research_file
from tests.stats.agreement_data import NAN

EPSILON = {
    "wax": 0.1,
    "lgbteen": 0.2,
    "mtbench": 0.2,
    "framing": 0.15,
    "cebab_aspects": 0.1,
    "summeval": 0.2,
    "10k_prompts": 0.15,
    "cebab_stars": 0.1,
    "lesion": 0.15,
}
NUMERIC = {"summeval", "10k_prompts", "cebab_stars", "lesion"}
EXACT = {  # omega and rho with more digits than printed in the paper's table
    ("mtbench", "gpt-4o"): (0.0, 0.772810),
    ("mtbench", "gemini_pro"): (0.0, 0.764513),
    ("lgbteen", "gpt-4o"): (0.75, 0.772439),
    ("framing", "gpt-4o"): (1.0, 0.917870),
    ("10k_prompts", "gpt-4o-mini"): (0.923077, 0.796784),
    ("lesion", "gemini_pro"): (1.0, 0.81),
    ("summeval", "mistral-v03"): (0.0, 0.62),
}


def annotations(dataset: str, judge: str) -> tuple[np.ndarray, np.ndarray, list[int], list[str]]:
    """Judge (items,), humans (items, annotators), label codes, and the document of each item."""
    human = json.loads(gzip.decompress(research_file(f"alt-test/{dataset}.human.json.gz").read_bytes()))
    own = json.loads(gzip.decompress(research_file(f"alt-test/{dataset}.llm.json.gz").read_bytes()))[judge]
    items = sorted(set(own).union(*human.values()))
    if dataset in NUMERIC:
        names: list[str] = []

        def code(label: object) -> float:
            return NAN if label is None else float(str(label))

    else:
        names = sorted({str(label) for given in (own, *human.values()) for label in given.values()})

        def code(label: object) -> float:
            return NAN if label is None else float(names.index(str(label)))

    matrix = np.array([[code(given.get(item)) for given in human.values()] for item in items])
    labels = np.array([code(own.get(item)) for item in items])
    return labels, matrix, list(range(len(names))), [item.split("__")[0] for item in items]


def expected_rows() -> list[dict[str, str]]:
    with research_file("alt-test/expected.csv").open() as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("dataset", list(EPSILON))
def test_published_table(dataset: str) -> None:
    """Calderon et al. (2025): omega and rho of all judges, as printed."""
    rows = [row for row in expected_rows() if row["dataset"] == dataset]
    assert len(rows) >= 4
    for row in rows:
        judge, humans, categories, _ = annotations(dataset, row["judge"])
        found = alternative_annotator_test(
            judge,
            humans,
            epsilon=EPSILON[dataset],
            closeness=Closeness.RMSE if dataset in NUMERIC else Closeness.MATCH,
            categories=categories or None,
        )
        printed = (f"{found.winning_rate:.2f}", f"{found.advantage.value:.2f}")
        assert printed == (row["omega"], row["rho"]), row["judge"]
        assert found.passed == (row["verdict"] == "PASSED")
        exact = EXACT.get((dataset, row["judge"]))
        if exact is not None:
            digits = 6 if exact[1] * 100 % 1 else 2
            assert round(found.winning_rate, 6) == exact[0]
            assert round(found.advantage.value, digits) == exact[1]


def test_clusters_matter_on_summeval() -> None:
    """64 ratings a document: the cluster-robust p-values are the larger ones."""
    judge, humans, _, documents = annotations("summeval", "mistral-v03")
    found = alternative_annotator_test(judge, humans, epsilon=0.2, closeness=Closeness.RMSE, groups=documents)
    naive = alternative_annotator_test(judge, humans, epsilon=0.2, closeness=Closeness.RMSE)
    assert found.advantage.groups == 100
    assert found.advantage.value == naive.advantage.value
    assert found.advantage.se > 1.5 * naive.advantage.se
    assert [row.p for row in found.annotators] == [row.p for row in naive.annotators]
    assert naive.winning_rate_clustered == naive.winning_rate


def test_mtbench_annotators_agree_as_measured() -> None:
    _, humans, _, _ = annotations("mtbench", "gpt-4o")
    items, raters = np.nonzero(~np.isnan(humans))
    votes = humans[items, raters].astype(int) - 1
    assert agreement_among(items, raters, votes).pairs == 132


def three_annotators(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    humans = np.where(rng.random((n, 3)) < 0.7, truth[:, None], rng.integers(0, 3, (n, 3))).astype(float)
    return truth.astype(float), humans


def match(judge: np.ndarray, humans: np.ndarray, epsilon: float = 0.1, **options):
    return alternative_annotator_test(
        judge, humans, epsilon=epsilon, closeness=Closeness.MATCH, categories=[0, 1, 2], **options
    )


def test_a_better_judge_passes_and_a_random_one_fails() -> None:
    truth, humans = three_annotators(1)
    found = match(truth, humans)
    assert (found.winning_rate, found.passed, found.passed_clustered, found.tested) == (1.0, True, True, 3)
    assert found.advantage.value > 0.8
    random = match(np.random.default_rng(2).integers(0, 3, 60).astype(float), humans)
    assert (random.winning_rate, random.passed) == (0.0, False)


def test_wins_by_hand() -> None:
    """Item 1: judge matches both others of annotator 0, who matches one. Item 2: nobody matches anybody: a tie."""
    humans = np.array([[0, 0, 1], [0, 1, 2]], dtype=float)
    found = match(np.array([0.0, 0.0]), humans, min_items=1)
    assert [row.judge_wins for row in found.annotators] == [1.0, 1.0, 1.0]
    assert [row.human_wins for row in found.annotators] == [1.0, 0.5, 0.0]


def test_errors_are_compared_exactly() -> None:
    """(0.1 + 0.2) and 0.3 are the same rating; comparing rounded roots would break the tie by chance."""
    rng = np.random.default_rng(3)
    base = np.round(rng.integers(0, 10, 40) * 0.1, 1)
    humans = np.stack([base, base + 0.1, base + 0.2], axis=1)
    judge = (base + 0.2) - 0.1 - 0.1
    found = alternative_annotator_test(judge, humans, epsilon=0.2, closeness=Closeness.RMSE)
    assert (found.annotators[0].judge_wins, found.annotators[0].human_wins) == (1.0, 1.0)
    scaled = alternative_annotator_test(judge * 7 + 1, humans * 7 + 1, epsilon=0.2, closeness=Closeness.RMSE)
    assert [row.judge_wins for row in scaled.annotators] == [row.judge_wins for row in found.annotators]


def test_everybody_with_few_items_is_undefined_not_a_crash() -> None:
    truth, humans = three_annotators(4, n=20)
    found = match(truth, humans)
    assert (found.winning_rate, found.passed, found.advantage.value) == (None, None, None)
    assert "30 items" in found.undefined
    assert [row.note for row in found.annotators] == ["20 items, fewer than 30"] * 3


def test_small_samples_by_wilcoxon() -> None:
    truth, humans = three_annotators(5, n=20)
    found = match(truth, humans, small_samples="wilcoxon")
    assert found.tested == 3
    assert {row.note for row in found.annotators} == {"Wilcoxon signed ranks"}
    assert all(0 <= row.p <= 1 for row in found.annotators)


def test_no_variation_and_no_benefit_is_not_rejected_and_not_nan() -> None:
    """The judge copies annotator 0: every comparison is a tie; with epsilon 0 the t statistic would be 0 / 0."""
    _, humans = three_annotators(6)
    judge = humans[:, 0]
    found = match(judge, humans[:, :2], epsilon=0.0)
    own = found.annotators[0]
    assert (own.judge_wins, own.human_wins, own.p, own.rejected) == (1.0, 1.0, 1.0, False)
    assert match(judge, humans[:, :2], epsilon=0.1).annotators[0].p == 0.0


def test_labels_of_another_coding_are_an_error_or_a_flag() -> None:
    truth, humans = three_annotators(7)
    with pytest.raises(InputError, match="outside the declared scale"):
        match(truth + 10, humans)
    foreign = alternative_annotator_test(
        truth + 10, humans, epsilon=0.1, closeness=Closeness.MATCH, categories=[0, 1, 2, 10, 11, 12]
    )
    assert foreign.labels_disjoint
    assert foreign.winning_rate == 0.0
    assert not match(truth, humans).labels_disjoint


def test_items_without_judge_or_second_human_do_not_count() -> None:
    truth, humans = three_annotators(8)
    padded_judge = np.concatenate([truth, [NAN, 0.0, 1.0]])
    padded = np.vstack([humans, [[0, 1, 2], [1, NAN, NAN], [NAN, NAN, NAN]]])
    assert match(padded_judge, padded).annotators == match(truth, humans).annotators


def test_order_of_annotators_and_items_does_not_matter() -> None:
    truth, humans = three_annotators(9)
    order = np.random.default_rng(0).permutation(60)
    plain, shuffled = match(truth, humans), match(truth[order], humans[order][:, ::-1])
    assert shuffled.winning_rate == plain.winning_rate
    assert shuffled.advantage.value == pytest.approx(plain.advantage.value)
    assert [row.p for row in shuffled.annotators] == pytest.approx([row.p for row in plain.annotators][::-1])


def test_repeated_items_in_groups_keep_the_clustered_p() -> None:
    truth, humans = three_annotators(10)
    once = match(truth, humans)
    thrice = match(np.repeat(truth, 3), np.repeat(humans, 3, axis=0), groups=np.repeat(np.arange(60), 3))
    assert [row.p_clustered for row in thrice.annotators] == pytest.approx([row.p for row in once.annotators])
    assert thrice.annotators[0].p < once.annotators[0].p


def test_a_single_group_has_no_clustered_test() -> None:
    truth, humans = three_annotators(11)
    found = match(truth, humans, groups=np.zeros(60))
    assert found.winning_rate_clustered is None
    assert found.passed_clustered is None
    assert found.advantage.low is None


def test_wrong_input() -> None:
    truth, humans = three_annotators(12)
    with pytest.raises(ValueError, match="declared categories"):
        alternative_annotator_test(truth, humans, epsilon=0.1, closeness=Closeness.MATCH)
    with pytest.raises(ValueError, match="annotations of the judge"):
        match(truth[:5], humans)
