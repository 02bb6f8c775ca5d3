"""The version of the installed program."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """The version, ``unknown`` when it runs from a tree that is not installed."""
    try:
        return installed("evalharness")
    except PackageNotFoundError:
        return "unknown"
