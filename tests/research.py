"""Where tests find public research data, which is never part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def research_root() -> Path:
    """The folder of research data: $EVALHARNESS_TEST_DATA, else `../shared/data` beside the checkout."""
    named = os.environ.get("EVALHARNESS_TEST_DATA")
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"


def research_file(name: str) -> Path:
    """Path of one research file; skips the test, saying so, where it is absent."""
    path = research_root() / name
    if not path.exists():
        pytest.skip(f"research data {name} is not on this machine (set EVALHARNESS_TEST_DATA)")
    return path
