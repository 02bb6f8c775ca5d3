"""The gate's logic on values alone: verdicts, pairing, and properties that must hold for any run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness.core.policy import Amount, CriterionPolicy, OnInconclusive, Policy
from evalharness.core.snapshot import Snapshot
from evalharness.errors import ExitCode, RunConflictError
from evalharness.gate.decide import gate
from evalharness.gate.planning import plans_of
from evalharness.gate.same import check_same_instrument
from evalharness.gate.types import Comparison, Verdict
from tests.gate.helpers import BINARY, COLUMN, snapshot

LEVELS = st.integers(1, 5).map(float)
RUNS = st.lists(
    st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=4), min_size=2, max_size=12
)  # groups of replies: values in both runs


def _pair(groups, tag: str = "-new") -> tuple[Snapshot, Snapshot]:
    before = snapshot({f"g{i:02}": [a for a, _ in replies] for i, replies in enumerate(groups)}, name="old")
    after = snapshot({f"g{i:02}": [b for _, b in replies] for i, replies in enumerate(groups)}, tag=tag)
    return before, after


def _row(before: Snapshot, after: Snapshot, policy: Policy | None = None) -> Comparison:
    (row,) = gate(before, after, policy or Policy()).comparisons
    return row


def _noisy(groups: int, shift: float, seed: int = 0, sd: float = 0.5) -> tuple[Snapshot, Snapshot]:
    rng = np.random.default_rng(seed)
    base = {f"g{i:03}": list(rng.normal(3.5, 0.4, 3)) for i in range(groups)}
    new = {name: [value + shift + rng.normal(0, sd) for value in values] for name, values in base.items()}
    return snapshot(base, name="old"), snapshot(new, tag="-new")


@pytest.mark.parametrize(
    ("groups", "shift", "verdict"),
    [
        (60, 0.0, Verdict.PASS),
        (60, -0.6, Verdict.FAIL),
        (5, 0.0, Verdict.INCONCLUSIVE),
        (60, 0.5, Verdict.PASS),
    ],
)
def test_the_three_verdicts(groups: int, shift: float, verdict: Verdict):
    result = gate(*_noisy(groups, shift, sd=0.5 if groups > 5 else 1.0), Policy())
    assert result.verdict is verdict
    assert result.exit_code == {"pass": 0, "fail": 1, "inconclusive": 4}[verdict.value]


def test_a_real_but_tolerable_drop_passes_and_is_named():
    before, after = _noisy(200, -0.08, sd=0.2)
    row = _row(before, after)
    assert row.verdict is Verdict.PASS
    assert row.real_drop
    assert "real drop" in row.reasons[0]


def test_a_drop_that_only_the_number_of_criteria_makes_uncertain_is_called_that():
    before, after = _noisy(30, -0.2, seed=6, sd=0.6)
    alone = _row(before, after)
    assert alone.verdict is Verdict.FAIL
    assert alone.difference.p_drop is not None
    steady = [run.series[0] for run in _noisy(30, 0.0, seed=1)]
    others = [
        tuple(replace(series, column=replace(COLUMN, criterion=f"other{n}")) for series in steady)
        for n in range(40)
    ]
    many = gate(
        replace(before, series=(*before.series, *(old for old, _ in others))),
        replace(after, series=(*after.series, *(new for _, new in others))),
        Policy(),
    ).comparisons[0]
    assert many.difference.upper == alone.difference.upper < 0.0
    assert many.verdict is Verdict.INCONCLUSIVE
    assert many.reasons == ("a drop by itself, but not certain enough for one of so many criteria (Holm)",)


def test_what_would_decide_is_told():
    row = _row(*_noisy(8, -0.15, sd=1.0))
    assert row.verdict is Verdict.INCONCLUSIVE
    assert row.reach.groups is not None
    assert row.reach.groups > 8
    assert row.reach.detectable is not None
    assert row.reach.detectable > 0.2


@given(RUNS)
@settings(deadline=None, max_examples=60)
def test_a_run_against_itself_passes(groups):
    before, _ = _pair(groups)
    result = gate(before, replace(before, name="again"), Policy(max_drop=Amount(0.0)))
    assert result.verdict is Verdict.PASS
    assert result.identical


@given(RUNS)
@settings(deadline=None, max_examples=60)
def test_swapping_the_runs_mirrors_estimates_and_bounds(groups):
    before, after = _pair(groups)
    one, other = _row(before, after).difference, _row(after, before).difference
    assert one.value == pytest.approx(-other.value, abs=1e-12)
    assert one.lower == pytest.approx(-other.upper, abs=1e-9)
    assert one.upper == pytest.approx(-other.lower, abs=1e-9)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=3),
        min_size=2,
        max_size=9,
    )
)
@settings(deadline=None, max_examples=60)
def test_swapping_mirrors_binary_criteria_too(groups):
    before, after = _pair([[(float(a), float(b)) for a, b in replies] for replies in groups])
    first, second = (replace(run, series=(replace(run.series[0], column=BINARY),)) for run in (before, after))
    one, other = _row(first, second).difference, _row(second, first).difference
    assert one.value == pytest.approx(-other.value, abs=1e-12)
    assert one.lower == pytest.approx(-other.upper, abs=1e-6)


@given(RUNS, st.floats(0, 0.5), st.floats(0, 0.5))
@settings(deadline=None, max_examples=60)
def test_widening_the_tolerated_drop_never_turns_a_pass_into_a_fail(groups, first, second):
    narrow, wide = sorted((first, second))
    before, after = _pair(groups)
    if gate(before, after, Policy(max_drop=Amount(narrow))).verdict is Verdict.PASS:
        assert gate(before, after, Policy(max_drop=Amount(wide))).verdict is Verdict.PASS


@given(RUNS, st.integers(1, 10))
@settings(deadline=None, max_examples=60)
def test_identical_extra_items_never_flip_a_sign(groups, extra):
    value = _row(*_pair(groups)).difference.value
    more = _row(*_pair([*groups, *([[(3.0, 3.0)]] * extra)])).difference.value
    assert value is not None
    assert more is not None
    assert np.sign(round(value, 12)) == np.sign(round(more, 12))


def test_other_reply_numbers_fall_back_to_dialogue_means():
    before = snapshot({"a": [4.0, 2.0], "b": [3.0, 3.0], "c": [5.0]}, name="old")
    after = snapshot({"a": [4.0, 2.0, 3.0], "b": [3.0, 1.0], "c": [5.0]}, tag="-new")
    row = _row(before, after)
    assert row.by_means == 1
    assert row.difference.n == 1 + 2 + 1
    assert row.difference.value == pytest.approx((0 + 0 - 2 + 0) / 4)


def test_repeated_trials_are_averaged_not_counted():
    before = snapshot({"a": [4.0], "b": [3.0]}, name="old")
    twice = snapshot({"a": [4.0], "b": [3.0]}, tag="-new")
    subjects = (*twice.subjects, *(replace(s, id=f"{s.id}-2") for s in twice.subjects))
    marks = twice.series[0].marks
    more = (*marks, *(mark._replace(subject=mark.subject + 2, value=1.0) for mark in marks))
    after = replace(twice, subjects=subjects, series=(replace(twice.series[0], marks=more, items=4),))
    row = _row(before, after)
    assert (row.difference.n, row.difference.groups) == (2, 2)
    assert row.difference.value == pytest.approx(((2.5 - 4) + (2 - 3)) / 2)


def test_what_is_missing_is_counted_and_bounded():
    before = snapshot({"a": [4.0], "b": [3.0], "c": [2.0]}, name="old")
    after = snapshot({"a": [4.0], "b": [None], "d": [5.0]}, tag="-new")
    row = _row(before, after)
    assert (row.unpaired.only_baseline, row.unpaired.only_run, row.unpaired.no_verdict_run) == (1, 1, 1)
    assert row.difference.bounds == pytest.approx(
        ((0 + (1 - 3) + (1 - 2) + (5 - 5)) / 4, (0 + 2 + 3 + 4) / 4)
    )
    assert row.verdict is Verdict.INCONCLUSIVE


def test_items_without_a_verdict_and_lost_scenarios_block_a_pass():
    before, after = _noisy(60, 0.0)
    marks = after.series[0].marks
    gone = tuple(m._replace(value=None, status="failed") if i % 5 == 0 else m for i, m in enumerate(marks))
    failed = replace(after, series=(replace(after.series[0], marks=gone),))
    row = _row(before, failed)
    assert row.verdict is Verdict.INCONCLUSIVE
    assert "no verdict" in row.reasons[0]
    assert _row(before, failed, Policy(max_failed=0.3, max_unpaired=0.3)).verdict is Verdict.PASS


def test_nothing_to_pair_compares_independent_samples():
    before = snapshot({f"a{i}": [3.0 + i % 2] for i in range(20)}, name="old")
    after = snapshot({f"b{i}": [3.0 + i % 2] for i in range(20)})
    row = _row(before, after)
    assert not row.difference.paired
    assert row.difference.value == pytest.approx(0.0)
    assert row.difference.lower is not None


def test_a_floor_missed_with_confidence_fails():
    before = snapshot({f"g{i}": [2.0 + i % 2] for i in range(40)}, name="old")
    policy = Policy(criteria={"helpfulness": CriterionPolicy(min_pass_rate=0.5)})
    row = _row(before, replace(before, name="again"), policy)
    assert row.verdict is Verdict.FAIL
    assert "pass rate" in row.reasons[0]


def test_new_failures_count_when_most_of_enough_verdicts_agree():
    before, after = _pair([[(5.0, 5.0)]] * 39 + [[(5.0, 1.0)]])
    policy = Policy(criteria={"helpfulness": CriterionPolicy(max_new_failures=0, max_drop=Amount(0.9))})
    assert _row(before, after, policy).verdict is Verdict.FAIL
    wanting = Policy(
        criteria={"helpfulness": CriterionPolicy(max_new_failures=0, max_drop=Amount(0.9), confirm=3)}
    )
    assert _row(before, after, wanting).verdict is Verdict.INCONCLUSIVE
    marks = (*after.series[0].marks[:-1], after.series[0].marks[-1]._replace(samples=(1.0, 1.0, 5.0)))
    confirmed = replace(after, series=(replace(after.series[0], marks=marks),))
    assert _row(before, confirmed, wanting).verdict is Verdict.FAIL


def test_dialogues_that_must_pass():
    before, after = _pair([[(5.0, 5.0)]] * 39 + [[(5.0, 1.0)]])
    wide = Amount(0.9)
    assert gate(before, after, Policy(max_drop=wide, must_pass=("g39",))).verdict is Verdict.FAIL
    assert gate(before, after, Policy(max_drop=wide, must_pass=("g00-new",))).verdict is Verdict.PASS
    assert gate(before, after, Policy(max_drop=wide, must_pass=("nobody",))).verdict is Verdict.INCONCLUSIVE


def test_binary_criteria_use_tango_and_mcnemar():
    before = snapshot({f"g{i:02}": [0.0] for i in range(60)}, BINARY, name="old")
    after = snapshot({f"g{i:02}": [float(i < 20)] for i in range(60)}, BINARY, tag="-new")
    row = _row(before, after)
    assert row.verdict is Verdict.FAIL
    assert row.difference.method.startswith("Tango")
    assert row.difference.mcnemar is not None
    assert row.difference.mcnemar.p == pytest.approx(0.5**20)


def test_few_binary_items_without_any_change_do_not_pass():
    before = snapshot({f"g{i}": [0.0] for i in range(8)}, BINARY, name="old")
    after = snapshot({f"g{i}": [0.0] for i in range(8)}, BINARY, tag="-new")
    assert gate(before, after, Policy()).verdict is Verdict.INCONCLUSIVE


def test_a_change_of_instrument_is_refused_by_name():
    before, after = _noisy(20, 0.0)
    other = replace(COLUMN, signature="judge:toy|rubric:r@2")
    changed = replace(after, series=(replace(after.series[0], column=other),))
    with pytest.raises(RunConflictError, match=r"rubric was r@1, is r@2"):
        check_same_instrument(before, changed, Policy())
    check_same_instrument(before, changed, Policy(criteria={"helpfulness": CriterionPolicy(gate=False)}))


def test_slices_are_adjusted_and_never_decide():
    before, after = _noisy(60, 0.0, sd=0.3)
    marks = tuple(m._replace(value=m.value - 0.5) if m.subject < 10 else m for m in after.series[0].marks)
    subjects = tuple(
        replace(s, metadata={"lang": "de" if i < 10 else "en"}) for i, s in enumerate(after.subjects)
    )
    sliced = replace(after, subjects=subjects, series=(replace(after.series[0], marks=marks),))
    row = _row(before, sliced, Policy(slices=("lang",)))
    assert {part.value: part.dropped for part in row.slices} == {"de": True, "en": False}
    assert row.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("choice", "code"),
    [
        (OnInconclusive.EXIT, ExitCode.INCONCLUSIVE),
        (OnInconclusive.WARN, ExitCode.OK),
        (OnInconclusive.FAIL, ExitCode.REGRESSION),
    ],
)
def test_what_undecided_runs_exit_with(choice: OnInconclusive, code: ExitCode):
    assert gate(*_noisy(4, 0.0, sd=1.0), Policy(on_inconclusive=choice)).exit_code is code


def test_the_plan_needs_fewer_groups_where_runs_correlate():
    before, _ = _noisy(30, 0.0)
    (plan,) = plans_of(before, Policy(), None, 0.01)
    apart, together = plan.needs
    assert apart.groups is not None
    assert together.groups is not None
    assert together.groups < apart.groups
    assert apart.cost == pytest.approx(2 * apart.groups * 0.01)
