"""The garbage collector is set as it was when a run is over."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from evalharness.engine.garbage import seldom_collected


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize(("young", "inside"), [(700, 50_000), (90_000, 90_000), (0, 0)])
def test_it_looks_less_often_and_is_set_back(young: int, inside: int):
    gc.set_threshold(young, 10, 10)
    with pytest.raises(KeyError), seldom_collected():
        assert gc.get_threshold() == (inside, 10, 10)
        assert gc.get_freeze_count() > 0
        raise KeyError
    assert gc.get_threshold() == (young, 10, 10)
    assert gc.get_freeze_count() == 0
