"""Debiased and bridged differences: symmetry, what labels can change, and what a ruler's shift adds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.core.policy import Amount, Policy
from evalharness.core.snapshot import Snapshot
from evalharness.gate.debiasing import RunLabels, Side, debiased
from evalharness.gate.decide import gate
from evalharness.gate.evidence import Evidence
from evalharness.gate.pairing import pair
from evalharness.gate.rulers import Reading, corrected, ruler_of
from evalharness.gate.types import Difference, State, Verdict
from tests.gate.helpers import BINARY, COLUMN, snapshot

LEVELS = st.integers(1, 5).map(float)
ROWS = st.lists(st.tuples(LEVELS, LEVELS, LEVELS, LEVELS, st.booleans()), min_size=6, max_size=30)


def _runs(rows, column=COLUMN) -> tuple[Snapshot, Snapshot, RunLabels]:
    """Judge's and humans' levels in both runs; the last entry tells whether humans saw the scenario."""
    before = snapshot({f"g{i:02}": [row[0]] for i, row in enumerate(rows)}, column, name="old")
    after = snapshot({f"g{i:02}": [row[1]] for i, row in enumerate(rows)}, column, name="new", tag="-new")
    old = {(f"g{i:02}", 1): row[2] for i, row in enumerate(rows) if row[4]}
    new = {(f"g{i:02}-new", 1): row[3] for i, row in enumerate(rows) if row[4]}
    return before, after, RunLabels(old, new)


def _debiased(before: Snapshot, after: Snapshot, labels: RunLabels) -> Difference:
    first, second = before.series[0], after.series[0]
    units = pair(before, first, after, second, "group").units
    return debiased(units, Side(before, first, "group"), Side(after, second, "group"), labels, 0.95)[0]


@given(ROWS)
@settings(max_examples=60)
def test_swapping_the_runs_mirrors_the_debiased_difference(rows):
    before, after, labels = _runs(rows)
    one = _debiased(before, after, labels)
    other = _debiased(after, before, RunLabels(labels.run, labels.baseline))
    assert (one.value is None) == (other.value is None)
    if one.value is None or other.value is None:
        return
    assert one.value == pytest.approx(-other.value, abs=1e-9)
    if one.lower is not None:
        assert one.lower == pytest.approx(-(other.upper or 0.0), abs=1e-9)


@given(ROWS)
@settings(max_examples=40)
def test_labels_on_everything_leave_the_judge_no_say(rows):
    before, after, labels = _runs([(*row[:4], True) for row in rows])
    found = _debiased(before, after, labels)
    assert found.value == pytest.approx(np.mean([row[3] - row[2] for row in rows]), abs=1e-9)


@given(ROWS, st.floats(0, 0.5), st.floats(0, 0.5))
@settings(max_examples=40)
def test_widening_the_tolerated_drop_never_turns_a_debiased_pass_into_a_fail(rows, first, second):
    narrow, wide = sorted((first, second))
    before, after, labels = _runs(rows)
    evidence = Evidence(labels={before.series[0].key: labels})
    if gate(before, after, Policy(max_drop=Amount(narrow)), evidence).verdict is Verdict.PASS:
        assert gate(before, after, Policy(max_drop=Amount(wide)), evidence).verdict is Verdict.PASS


def test_where_low_is_good_the_sign_is_turned():
    rng = np.random.default_rng(0)
    rows = [(0.0, 0.0, float(rng.random() < 0.1), float(rng.random() < 0.8), i % 2 == 0) for i in range(80)]
    found = _debiased(*_runs(rows, BINARY))
    assert found.value is not None
    assert found.value < -0.4
    assert found.upper is not None
    assert found.upper < 0.0


def _readings(shift: float, noise: float, seed: int, count: int = 40) -> list[Reading]:
    rng = np.random.default_rng(seed)
    recorded = rng.integers(2, 5, count)
    return [
        Reading(f"a{i}", float(r), float(r + shift + rng.normal(0, noise)), None)
        for i, r in enumerate(recorded)
    ]


def test_an_unmoved_judge_is_seldom_said_to_have_moved():
    rulers = [ruler_of(COLUMN, _readings(0.0, 0.6, seed), 0, "", Policy(), 1) for seed in range(200)]
    assert sum(ruler is not None and ruler.state is State.MOVED for ruler in rulers) / len(rulers) <= 0.05


@pytest.mark.parametrize(
    ("shift", "noise", "state"), [(0.5, 0.3, State.MOVED), (0.0, 0.1, State.HELD), (0.0, 2.0, State.UNCLEAR)]
)
def test_the_three_states_of_a_ruler(shift: float, noise: float, state: State):
    ruler = ruler_of(COLUMN, _readings(shift, noise, 1), 0, "", Policy(), 1)
    assert ruler is not None
    assert ruler.state is state


def test_the_correction_takes_off_the_shift_and_adds_its_error():
    ruler = ruler_of(COLUMN, _readings(0.5, 0.3, 2), 0, "judge was a, is b", Policy(), 1)
    assert ruler is not None
    plain = Difference(0.3, 0.1, 0.1, 0.5, 0.9, "CR1", 50, 50)
    found = corrected(plain, ruler, 0.95)
    shift = ruler.drift.shift
    assert shift.value is not None
    assert found.value == pytest.approx(0.3 - shift.value)
    assert found.se == pytest.approx(np.hypot(0.1, shift.se))
    low_is_good = replace(ruler, column=replace(COLUMN, higher_is_better=False))
    assert corrected(plain, low_is_good, 0.95).value == pytest.approx(0.3 + shift.value)


def test_no_criterion_means_no_ruler():
    assert ruler_of(COLUMN, [], 3, "", Policy(), 1) is None
