import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.stats.averaging import (
    Grouping,
    averaged,
    between_systems,
    by_group,
    by_system,
    compare_by_group,
    compare_pooled,
    pooled,
    system_means,
)
from evalharness.stats.catalogue import pair_statistic
from evalharness.stats.ceiling import rater_mean
from evalharness.stats.correlation import pearson
from evalharness.stats.grouped import group_values
from evalharness.stats.pairs import within_group_pairs
from evalharness.stats.rank_correlation import kendall_tau_b, kendall_tau_c, spearman
from evalharness.stats.undefined import Cause
from tests.research import research_file

GOLD = np.array([1, 2, 3, 4, 5, 6.0])
METRIC = np.array([2, 1, 4, 3, 3, 7.0])
SYSTEM = np.array([0, 0, 0, 1, 1, 1])
ITEM = np.array([0, 1, 2, 0, 1, 2])

grouped_data = st.integers(1, 60).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 3), min_size=n, max_size=n).map(lambda v: np.array(v, dtype=float)),
        st.lists(st.integers(0, 3), min_size=n, max_size=n).map(lambda v: np.array(v) / 3.0),
        st.lists(st.integers(0, 9), min_size=n, max_size=n).map(
            lambda v: np.unique(v, return_inverse=True)[1]
        ),
    )
)


@pytest.mark.parametrize(
    ("statistic", "none", "sys", "item"),
    [(pearson, 0.776, 0.760, 1.0), (kendall_tau_b, 0.552, 0.575, 1.0), (kendall_tau_c, 0.556, 0.611, 1.0)],
)
def test_mt_metrics_eval(statistic, none: float, sys: float, item: float) -> None:
    assert pooled(statistic, METRIC, GOLD).estimate.value == pytest.approx(none, abs=5e-4)
    assert by_system(statistic, METRIC, GOLD, SYSTEM, ITEM).estimate.value == pytest.approx(sys, abs=5e-4)
    assert by_group(statistic, METRIC, GOLD, ITEM).estimate.value == pytest.approx(item, abs=5e-4)


def test_mt_metrics_eval_undefined_systems() -> None:
    metric = [2, 2, 2, 4, 5, 6]
    for found in (by_system(pearson, metric, GOLD, SYSTEM, ITEM), by_group(pearson, metric, GOLD, SYSTEM)):
        assert found.estimate.value == pytest.approx(1.0)
        assert found.with_zeros == pytest.approx(0.5)
        assert dict(found.undefined_units) == {Cause.FIRST_CONSTANT: 1}
        assert found.defined_units == 1


@settings(max_examples=60)
@given(grouped_data)
def test_vectorised_groups_agree_with_one_by_one(data: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    x, y, codes = data
    count = int(codes.max()) + 1
    for fast, slow in (
        (pearson, lambda a, b: pearson(a, b)),
        (spearman, lambda a, b: spearman(a, b)),
        (kendall_tau_b, lambda a, b: kendall_tau_b(a, b)),
    ):
        at_once, one_by_one = group_values(fast, x, y, codes, count), group_values(slow, x, y, codes, count)
        assert at_once.causes == one_by_one.causes
        assert at_once.values == pytest.approx(one_by_one.values, abs=1e-12, nan_ok=True)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 5), min_size=0, max_size=30).map(lambda v: np.array(v, dtype=np.intp)))
def test_pairs_inside_groups(codes: np.ndarray) -> None:
    left, right = within_group_pairs(codes)
    found = {frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True)}
    expected = {frozenset((i, j)) for i in range(codes.size) for j in range(i) if codes[i] == codes[j]}
    assert len(left) == len(found)
    assert found == expected


def test_group_order_and_names_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(20), 5)
    x, y = rng.normal(size=100), rng.normal(size=100)
    order = rng.permutation(100)
    names = np.array([f"g{19 - code}" for code in codes])
    plain, shuffled = by_group(spearman, x, y, codes), by_group(spearman, x[order], y[order], names[order])
    assert shuffled.estimate.value == pytest.approx(plain.estimate.value)
    assert shuffled.estimate.se == pytest.approx(plain.estimate.se)


def test_by_group_interval_is_students_over_groups() -> None:
    rng = np.random.default_rng(2)
    codes = np.repeat(np.arange(15), 6)
    x = rng.normal(size=90)
    found = by_group(pearson, x, x + rng.normal(size=90), codes)
    assert found.estimate.method == "CR1+t(14)"
    assert (found.estimate.n, found.estimate.groups, found.defined_units) == (90, 15, 15)


def test_undefined_everywhere_says_why() -> None:
    found = by_group(pearson, [1, 1, 2, 3], [5, 6, 7, 7], [0, 0, 1, 1])
    assert found.estimate.undefined == ("undefined in every group (first_constant: 1, second_constant: 1)")
    assert found.with_zeros is None
    assert by_system(pearson, [1.0], [2.0], [0]).estimate.value is None
    assert dict(by_group(pearson, [1, 2, 3], [1, 2, 3], [0, 1, 2]).undefined_units) == {Cause.TOO_FEW: 3}


def test_between_systems_is_the_statistic_of_means() -> None:
    rng = np.random.default_rng(3)
    systems = np.tile(np.arange(6), 10)
    x, y = systems + rng.normal(size=60), systems + rng.normal(size=60)
    found = between_systems(pearson, x, y, systems)
    means = [[v[systems == s].mean() for s in range(6)] for v in (x, y)]
    assert found.estimate.value == pytest.approx(np.corrcoef(*means)[0, 1])
    assert (found.estimate.n, found.estimate.groups, found.grouping) == (6, 6, Grouping.SYSTEM)


def test_one_entrance_for_all_groupings() -> None:
    expected = {
        Grouping.POOLED: pooled(pearson, METRIC, GOLD, ITEM),
        Grouping.BY_GROUP: by_group(pearson, METRIC, GOLD, ITEM),
        Grouping.BY_SYSTEM: by_system(pearson, METRIC, GOLD, SYSTEM, ITEM),
        Grouping.SYSTEM: between_systems(pearson, METRIC, GOLD, SYSTEM),
    }
    for grouping, found in expected.items():
        assert averaged(pearson, METRIC, GOLD, grouping, groups=ITEM, systems=SYSTEM) == found
    with pytest.raises(ValueError, match="needs systems"):
        averaged(pearson, METRIC, GOLD, Grouping.SYSTEM)
    with pytest.raises(ValueError, match="needs groups"):
        averaged(pearson, METRIC, GOLD, Grouping.BY_GROUP)


def test_two_judges_are_compared_where_both_have_a_value() -> None:
    """A judge that is constant in the hard group may not be averaged over the easy one alone."""
    human = np.array([1, 2, 3, 1, 2, 3.0])
    careful = np.array([1, 2, 3, 2, 3, 1.0])
    constant = np.array([1, 3, 2, 2, 2, 2.0])
    groups = [0, 0, 0, 1, 1, 1]
    found = compare_by_group(pearson, careful, constant, human, groups)
    assert found.first.estimate.value == pytest.approx(1.0)
    assert found.second.estimate.value == pytest.approx(0.5)
    assert found.difference.value == pytest.approx(0.5)
    assert (found.first.defined_units, found.difference.groups) == (1, 1)
    assert by_group(pearson, careful, human, groups).estimate.value == pytest.approx(0.25)


def test_pooled_comparison_is_paired() -> None:
    rng = np.random.default_rng(4)
    human = rng.normal(size=200)
    first = human + rng.normal(size=200)
    second = first + rng.normal(scale=0.05, size=200)
    found = compare_pooled(spearman, first, second, human)
    assert found.difference.se < 0.1 * found.first.estimate.se
    assert compare_pooled(spearman, np.ones(200), second, human).difference.undefined.startswith(
        "the first side"
    )


def test_kappa_by_group_through_its_name() -> None:
    kappa = pair_statistic("cohen_kappa", [0, 1])
    found = by_group(kappa, [0, 1, 1, 0, 1, 1], [0, 1, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1])
    assert found.estimate.value == pytest.approx((0.4 + 1.0) / 2)


def test_means_of_systems() -> None:
    assert system_means(np.array([1.0, 3.0, 5.0]), np.array([1, 1, 0]), 2).tolist() == [5.0, 2.0]


@pytest.mark.parametrize(
    ("criterion", "none", "skip", "zero", "by_sys", "system"),
    [
        ("consistency", ".485", ".505", ".484", ".279", ".683"),
        ("coherence", ".444", ".469", ".469", ".329", ".633"),
    ],
)
def test_summeval_modes(criterion: str, none: str, skip: str, zero: str, by_sys: str, system: str) -> None:
    """One judge, five figures: Kendall's tau-b of gpt-4o on SummEval, 100 documents by 16 systems."""
    human = json.loads(gzip.decompress(research_file("alt-test/summeval.human.json.gz").read_bytes()))
    judge = json.loads(gzip.decompress(research_file("alt-test/summeval.llm.json.gz").read_bytes()))["gpt-4o"]
    keys = [
        key for key in judge if key.endswith(criterion) and all(key in expert for expert in human.values())
    ]
    documents, systems, _ = zip(*(key.split("__") for key in keys), strict=True)
    x = np.array([judge[key] for key in keys], dtype=float)
    y = rater_mean([[expert[key] for expert in human.values()] for key in keys])
    figures = (
        pooled(kendall_tau_b, x, y, documents).estimate.value,
        by_group(kendall_tau_b, x, y, documents).estimate.value,
        by_group(kendall_tau_b, x, y, documents).with_zeros,
        by_system(kendall_tau_b, x, y, systems, documents).estimate.value,
        between_systems(kendall_tau_b, x, y, systems).estimate.value,
    )
    assert [f"{figure:.3f}"[1:] for figure in figures] == [none, skip, zero, by_sys, system]
    if criterion == "consistency":
        assert f"{between_systems(pearson, x, y, systems).estimate.value:.3f}" == "0.958"
