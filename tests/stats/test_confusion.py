import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.errors import InputError
from evalharness.stats.confusion import confusion

labels = st.integers(1, 60).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(1, 3), min_size=n, max_size=n)] * 2)
)


@settings(max_examples=40)
@given(labels)
def test_agrees_with_scikit_learn(pair: tuple[list[int], list[int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    judge, reference = pair
    found = confusion(judge, reference, [1, 2, 3])
    assert (
        np.array(found.table).tolist()
        == metrics.confusion_matrix(reference, judge, labels=[1, 2, 3]).tolist()
    )
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        reference, judge, labels=[1, 2, 3], zero_division=np.nan
    )
    for k, rates in enumerate(found.classes):
        assert rates.support == support[k]
        for ours, theirs in ((rates.precision, precision[k]), (rates.recall, recall[k]), (rates.f1, f1[k])):
            assert ours.value is None if np.isnan(theirs) else ours.value == pytest.approx(theirs)
    assert found.accuracy.value == pytest.approx(metrics.accuracy_score(reference, judge))
    recalls = [rates.recall.value for rates in found.classes if rates.recall.value is not None]
    assert found.balanced_accuracy.value == pytest.approx(np.mean(recalls))


def test_binary_rates_by_hand() -> None:
    judge, reference = [1] * 8 + [0] * 2 + [1] * 1 + [0] * 9, [1] * 10 + [0] * 10
    found = confusion(judge, reference, [0, 1])
    good = found.classes[1]
    assert found.table == ((9, 1), (2, 8))
    assert (good.recall.value, good.specificity.value) == pytest.approx((0.8, 0.9))
    assert good.precision.value == pytest.approx(8 / 9)
    assert found.expected_accuracy == pytest.approx(0.5)
    assert good.recall.n == 10
    assert 0.0 < good.recall.low < 0.8 < good.recall.high < 1.0


def test_rates_cluster_by_group() -> None:
    rng = np.random.default_rng(1)
    reference = rng.integers(0, 2, 60)
    correct = np.repeat(rng.random(20) < 0.7, 3)
    judge = np.where(correct, reference, 1 - reference)
    wide = confusion(judge, reference, [0, 1], np.repeat(np.arange(20), 3))
    narrow = confusion(judge, reference, [0, 1])
    assert wide.accuracy.value == narrow.accuracy.value
    assert wide.accuracy.se > 1.5 * narrow.accuracy.se
    assert wide.accuracy.groups == 20


def test_balanced_accuracy_has_the_error_of_its_recalls() -> None:
    judge, reference = [1] * 30 + [0] * 10 + [1] * 4 + [0] * 16, [1] * 40 + [0] * 20
    found = confusion(judge, reference, [0, 1])
    variance = 0.75 * 0.25 / 40 + 0.8 * 0.2 / 20
    assert found.balanced_accuracy.se == pytest.approx(np.sqrt(variance) / 2 * np.sqrt(60 / 59))


def test_high_accuracy_by_prevalence_alone() -> None:
    reference = [0] * 95 + [1] * 5
    found = confusion([0] * 100, reference, [0, 1])
    assert found.accuracy.value == pytest.approx(0.95)
    assert found.modal_share == pytest.approx(0.95)
    assert found.expected_accuracy == pytest.approx(0.95)
    assert found.beats_modal is False
    assert found.balanced_accuracy.value == pytest.approx(0.5)
    assert found.classes[1].precision.undefined == "the judge never gives this category"


def test_classes_that_never_occur_have_no_rates() -> None:
    found = confusion([1, 1], [1, 1], [1, 2])
    assert found.classes[1].recall.undefined == "the reference never has this category"
    assert found.classes[1].f1.undefined == "neither side has this category"
    assert found.classes[0].specificity.undefined == "the reference always has this category"
    assert found.accuracy.low is None
    assert found.beats_modal is None


def test_empty_and_undeclared() -> None:
    empty = confusion([], [], [1, 2])
    assert empty.accuracy.undefined == "no items"
    assert empty.classes == ()
    with pytest.raises(InputError, match="outside the declared scale: 3"):
        confusion([3], [1], [1, 2])
