"""What an open question lacks: the items that it says would settle it do so about as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from evalharness.audit.findings import bias_finding
from evalharness.audit.settling import open_bias, open_fall
from evalharness.audit.types import Finding
from evalharness.stats.clustered import mean_interval
from evalharness.stats.estimate import Estimate, undefined

MARGIN = 0.2
WITHIN, BEYOND = 0.05, 0.5


def estimate(value: float, half: float, groups: int = 20, each: int = 1) -> Estimate:
    return Estimate(value, None, value - half, value + half, 0.95, "t", groups * each, groups, None)


@pytest.mark.parametrize("value", [WITHIN, BEYOND])
def test_so_many_more_settle_it_four_times_in_five(value: float):
    spread = 1.2
    found = mean_interval(value + spread * np.sqrt(9.5 / 10) * np.tile([-1.0, 1.0], 10))
    question = open_bias(Finding.UNCLEAR, found, MARGIN)
    assert question is not None and question.more is not None
    rng = np.random.default_rng(7)
    size = found.n + question.more
    findings = [bias_finding(mean_interval(rng.normal(value, spread, size)), MARGIN) for _ in range(300)]
    assert 0.7 <= np.mean([finding is not Finding.UNCLEAR for finding in findings]) <= 0.9


def test_items_grow_with_groups_and_a_settled_question_lacks_nothing():
    single, double = (open_bias(Finding.UNCLEAR, estimate(0.1, 0.3, 20, each), MARGIN) for each in (1, 2))
    assert single is not None and double is not None and single.more is not None
    assert double.more is not None and abs(double.more - 2 * single.more) <= 1
    assert (single.items, single.groups, double.items) == (20, 20, 40)
    assert single.width == pytest.approx(0.6)
    assert open_bias(Finding.OK, estimate(0.0, 0.1), MARGIN) is None
    assert open_fall(Finding.FLAGGED, estimate(0.0, 0.1), MARGIN) is None


def test_a_value_on_the_margin_is_settled_by_no_number():
    question = open_bias(Finding.UNCLEAR, estimate(MARGIN, 0.3), MARGIN)
    assert question is not None and question.more is None
    fall = open_fall(Finding.UNCLEAR, estimate(-MARGIN, 0.3), MARGIN)
    assert fall is not None and fall.more is None


def test_a_fall_has_the_nearer_of_its_two_bounds_to_clear():
    shallow = open_fall(Finding.UNCLEAR, estimate(0.0, 0.5), MARGIN)  # a fall beyond 0.2 is to be ruled out
    steep = open_fall(Finding.UNCLEAR, estimate(-0.4, 0.5), MARGIN)  # 0 is to be ruled out
    assert shallow is not None and steep is not None and shallow.more is not None and steep.more is not None
    assert shallow.more > 2 * steep.more


def test_few_groups_lack_the_fewest_that_decide_anything():
    one = Estimate(0.1, None, None, None, 0.95, "none: a single group", 2, 1, None)
    lone = open_bias(Finding.UNCLEAR, one, MARGIN)
    assert lone is not None and (lone.width, lone.more) == (None, 14)
    nothing = open_bias(Finding.UNCLEAR, undefined("nobody rated it"), MARGIN)
    assert nothing is not None and nothing.more is None
