"""What the simulations of coverage share: how big they are, and what each of them gives."""

from __future__ import annotations

from collections.abc import Mapping

Found = Mapping[str, float]
"""For each figure, whether its interval held the truth (or how much it held)."""
TURNS = 4
FRESH = 2_000
EPSILON = 0.2
TARGET = 0.1
LOOKS = 300
