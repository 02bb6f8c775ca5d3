"""How often Python looks for cyclic garbage while a run is on.

Runs make very many short-lived objects and hardly any cycles. As it is set at the start, the collector would walk all
modules and everything else that stays again and again: a tenth to a fifth of a run's processor time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG = 50_000
"""New objects after which the youngest are looked through."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Inside, what was there before is left alone, and the rest is looked through less often."""
    before = gc.get_threshold()
    gc.freeze()
    if before[0]:  # 0 turns it off: whoever did that wants it so
        gc.set_threshold(max(before[0], _YOUNG), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
