"""Position, changed verdicts beyond noise, length and self-preference of judges that compare pairs."""

from __future__ import annotations

import numpy as np
import pytest

from evalharness.audit.preferences import Preference, longer, own_model, position, swaps
from evalharness.audit.types import Finding
from evalharness.core.pairs import Order


def pair(
    number: int, ab: list[int], ba: list[int], people: tuple[int, ...] = (), size: int = 1
) -> Preference:
    systems = ("mine", "other") if number % 2 else ("other", "mine")
    return Preference(f"g{number}", systems, {Order.AB: ab, Order.BA: ba}, size, people)


def test_a_judge_that_takes_the_first_is_told_so_whatever_the_replies_are_worth():
    found = position("c", [pair(n, [1, 1], [-1, -1]) for n in range(10)], 0.05)
    assert (found.estimate.value, found.finding) == (1.0, Finding.FLAGGED)
    fair = position("c", [pair(n, [1, 1], [1, 1]) for n in range(10)], 0.05)
    assert (fair.estimate.value, fair.finding) == (0.0, Finding.OK)


def test_a_judge_that_is_only_noisy_is_not_blamed_for_the_order():
    rng = np.random.default_rng(7)
    noisy = [pair(n, list(rng.choice([-1, 1], 4)), list(rng.choice([-1, 1], 4))) for n in range(400)]
    found = swaps("c", noisy, 0.05)
    assert found.judge == pytest.approx(0.5, abs=0.05)
    assert abs(found.estimate.value) < 0.05 and found.finding is not Finding.FLAGGED
    swayed = swaps("c", [pair(n, [1, 1], [-1, -1]) for n in range(10)], 0.05)
    assert (swayed.estimate.value, swayed.beside, swayed.finding) == (1.0, 0.0, Finding.FLAGGED)


def test_one_verdict_an_order_can_t_tell_order_from_noise():
    found = swaps("c", [pair(n, [1], [-1]) for n in range(10)], 0.05)
    assert found.estimate.value is None and "--samples" in found.words
    assert found.judge == 1.0


def test_length_counts_beyond_what_people_prefer():
    rows = [pair(n, [1], [1], (1, 1, 0, -1), size=1 if n % 2 else -1) for n in range(20)]
    found = longer("c", rows, 0.05)
    # people: mean vote 1/4, so (0.25 * sign + 1) / 2; the judge: all or nothing
    assert found.judge == 0.5 and found.beside == 0.5
    always = [pair(n, [1], [1], (1, -1)) for n in range(20)]
    assert longer("c", always, 0.05).estimate.value == 0.5


def test_self_preference_is_the_win_rate_beyond_people_s():
    rows = [pair(n, [1 if n % 2 else -1], [1 if n % 2 else -1], (1, -1)) for n in range(20)]
    found = own_model("c", rows, 0.05, "mine")
    assert (found.judge, found.beside, found.estimate.value) == (1.0, 0.5, 0.5)
    assert found.finding is Finding.FLAGGED
    nobody = own_model("c", rows, 0.05, "third")
    assert nobody.estimate.value is None
