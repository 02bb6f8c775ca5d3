from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.llm.backoff import Backoff


def test_ceilings_double_up_to_the_cap() -> None:
    backoff = Backoff(base=0.5, factor=2.0, cap=5.0)
    assert [backoff.ceiling(n) for n in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert backoff.ceiling(10**6) == 5.0


@given(st.integers(1, 10_000), st.integers())
def test_delays_lie_below_the_ceiling(failures: int, seed: int) -> None:
    backoff = Backoff(random=Random(seed))
    assert 0.0 <= backoff.delay(failures) <= backoff.ceiling(failures)


def test_jitter_is_full() -> None:
    backoff = Backoff(base=1.0, cap=1.0, random=Random(0))
    delays = [backoff.delay(1) for _ in range(4000)]
    assert sum(delays) / len(delays) == pytest.approx(0.5, abs=0.03)
    assert min(delays) < 0.01 < 0.99 < max(delays)


def test_equal_seeds_give_equal_delays() -> None:
    first, second = (Backoff(random=Random(7)) for _ in range(2))
    assert [first.delay(n) for n in range(1, 9)] == [second.delay(n) for n in range(1, 9)]
