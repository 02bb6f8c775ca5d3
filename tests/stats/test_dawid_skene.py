import numpy as np
import pytest

from evalharness.stats.dawid_skene import DawidSkene, fit_dawid_skene
from evalharness.stats.unfitted import Unfitted

# Dawid & Skene (1979), table 1: 45 patients, five anaesthetists, of whom the first saw every form three times.
ANAESTHETISTS = """
111 1 1 1 1/333 4 3 3 4/112 2 1 2 2/222 3 1 2 1/222 3 2 2 2/222 3 3 2 2/122 2 1 1 1/333 3 4 3 3/222 2 2 2 3/
232 2 2 2 3/444 4 4 4 4/222 3 3 4 3/111 1 1 1 1/222 3 2 1 2/121 1 1 1 1/111 2 1 1 1/111 1 1 1 1/111 1 1 1 1/
222 2 2 2 1/222 1 3 2 2/222 2 2 2 2/222 2 2 2 1/222 3 2 2 2/221 2 2 2 2/111 1 1 1 1/111 1 1 1 1/232 2 2 2 2/
111 1 1 1 1/111 1 1 1 1/112 1 1 2 1/111 1 1 1 1/333 3 2 3 3/111 1 1 1 1/222 2 2 2 2/222 3 2 3 2/433 4 3 4 3/
221 2 2 3 2/232 3 2 3 3/333 3 4 3 2/111 1 1 1 1/111 1 1 1 1/121 2 1 1 1/232 2 2 2 2/121 1 1 1 1/222 2 2 2 2
"""


def votes() -> tuple[list[int], list[int], list[int]]:
    rows = [row.split() for row in ANAESTHETISTS.split("/")]
    cells = [(i, r, int(v) - 1) for i, row in enumerate(rows) for r, said in enumerate(row) for v in said]
    return tuple(list(column) for column in zip(*cells, strict=True))  # type: ignore[return-value]


def fitted(result: DawidSkene | Unfitted) -> DawidSkene:
    assert isinstance(result, DawidSkene)
    return result


def test_anaesthetists_published() -> None:
    """Table 4 of the paper: class marginals and the first observer's error rates, to the printed two digits."""
    fit = fitted(fit_dawid_skene(*votes(), classes=4, smoothing=0.0))
    assert fit.prevalence.round(2).tolist() == [0.40, 0.42, 0.11, 0.07]
    assert fit.confusion[0].round(2).tolist() == [
        [0.89, 0.11, 0.00, 0.00],
        [0.07, 0.88, 0.05, 0.00],
        [0.00, 0.34, 0.66, 0.00],
        [0.00, 0.00, 0.56, 0.44],
    ]
    assert fit.converged


def test_likelihood_never_falls() -> None:
    from evalharness.stats.dawid_skene import _expected, _maximised, _Votes

    item, rater, label = (np.asarray(column) for column in votes())
    data = _Votes(item, rater, label, 45, 5, 4)
    posterior, values = data.shares(), []
    for _ in range(20):
        posterior, value = _expected(data, *_maximised(data, posterior, 0.0))
        values.append(value)
    assert np.all(np.diff(values) >= -1e-9)


def simulated(items: int, accuracies: list[float], seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(items) < 0.4).astype(int)
    item, rater = np.repeat(np.arange(items), len(accuracies)), np.tile(np.arange(len(accuracies)), items)
    right = rng.random(item.size) < np.array(accuracies)[rater]
    return truth, item, rater, np.where(right, truth[item], 1 - truth[item])


def test_planted_accuracies_are_recovered_and_beat_the_majority() -> None:
    accuracies = [0.95, 0.6, 0.6, 0.6, 0.9]
    truth, item, rater, label = simulated(3000, accuracies, 1)
    fit = fitted(fit_dawid_skene(item, rater, label, classes=2))
    assert fit.accuracy == pytest.approx(accuracies, abs=0.03)
    majority = np.bincount(item, weights=label) > len(accuracies) / 2
    assert np.mean(fit.labels == truth) > np.mean(majority == truth) + 0.05


def test_contrary_rater_is_doubted() -> None:
    _, item, rater, label = simulated(1000, [0.9, 0.9, 0.9, 0.2], 2)
    assert fitted(fit_dawid_skene(item, rater, label, classes=2)).doubtful_raters == (3,)


def test_rater_and_vote_order_do_not_matter() -> None:
    item, rater, label = (np.asarray(column) for column in votes())
    order = np.random.default_rng(0).permutation(item.size)
    renamed = np.array([4, 2, 0, 1, 3])
    one = fitted(fit_dawid_skene(item, rater, label, classes=4))
    other = fitted(fit_dawid_skene(item[order], renamed[rater[order]], label[order], classes=4))
    assert other.posterior == pytest.approx(one.posterior, abs=1e-7)
    assert other.confusion[renamed] == pytest.approx(one.confusion, abs=1e-7)


def test_renaming_labels_renames_the_result() -> None:
    item, rater, label = (np.asarray(column) for column in votes())
    renamed = np.array([3, 0, 2, 1])
    one = fitted(fit_dawid_skene(item, rater, label, classes=4))
    other = fitted(fit_dawid_skene(item, rater, renamed[label], classes=4))
    assert other.posterior[:, renamed] == pytest.approx(one.posterior, abs=1e-6)


def test_a_declared_class_that_nobody_uses_stays_possible() -> None:
    item, rater, label = votes()
    fit = fitted(fit_dawid_skene(item, rater, label, classes=5))
    assert fit.prevalence[4] == pytest.approx(0.0, abs=1e-9)
    assert fit.confusion.sum(axis=2) == pytest.approx(np.ones((5, 5)))


def test_too_few_raters_and_bad_labels() -> None:
    two = fit_dawid_skene([0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 1], classes=2)
    assert isinstance(two, Unfitted)
    assert "3 raters" in two.reason
    with pytest.raises(ValueError, match="labels run"):
        fit_dawid_skene([0], [0], [7], classes=2)
    with pytest.raises(ValueError, match="same length"):
        fit_dawid_skene([0, 1], [0], [0], classes=2)
