"""Weights of a panel's members by their agreement with each other."""

from __future__ import annotations

import numpy as np
import pytest

from evalharness.stats.correlation import lins_ccc
from evalharness.stats.member_weights import agreement_weights, member_agreement

A = [1.0, 2.0, 3.0, 4.0, 5.0]
B = [1.0, 2.0, 3.0, 5.0, 4.0]
NOISE = [3.0, 5.0, 1.0, 4.0, 2.0]


def test_a_members_agreement_is_the_mean_over_the_others():
    found = member_agreement(np.array([A, B, NOISE]).T)
    both, mine, theirs = (
        getattr(lins_ccc(*pair), "value", None) for pair in ((A, B), (A, NOISE), (B, NOISE))
    )
    assert both is not None
    assert mine is not None
    assert theirs is not None
    assert found == pytest.approx([(both + mine) / 2, (both + theirs) / 2, (mine + theirs) / 2])


def test_weights_sum_to_one_and_leave_out_what_agrees_by_chance_at_most():
    weights = agreement_weights(np.array([A, B, NOISE]).T)
    assert weights is not None
    assert weights.sum() == pytest.approx(1.0)
    assert weights[2] < 0.2 < weights[0]


def test_labels_are_compared_without_an_order():
    codes = np.array([[0, 0, 2], [1, 1, 0], [2, 2, 1], [0, 0, 1]], dtype=float)
    weights = agreement_weights(codes, [0, 1, 2])
    assert weights == pytest.approx([0.5, 0.5, 0.0])


def test_missing_verdicts_leave_out_the_item_for_that_pair_alone():
    holes = np.array([A, B]).T
    holes[0, 1] = np.nan
    expected = getattr(lins_ccc(A[1:], B[1:]), "value", None)
    assert member_agreement(holes) == pytest.approx([expected, expected])


def test_nothing_to_weigh_by():
    assert agreement_weights(np.array([[1.0, 5.0], [5.0, 1.0]])) is None
    assert agreement_weights(np.array([[2.0, 2.0], [2.0, 2.0]])) is None
    assert agreement_weights(np.full((3, 2), np.nan)) is None
