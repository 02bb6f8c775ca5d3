"""Signatures: the options and the version behind a number, in sacrebleu's notation (``key:value|…|version:…``)."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version

SURFACE_VERSION = 1
"""Raise whenever a surface measure, a check or a tokenizer of our own gives another value than before."""


def signature(*parts: tuple[str, object], version: str) -> str:
    """The parts with their values, then the version; a value of None is left out, truth values are yes and no."""
    shown = [f"{key}:{_show(value)}" for key, value in parts if value is not None]
    return "|".join([*shown, f"version:{version}"])


@cache
def package_version(package: str) -> str:
    """The version of an installed package, ``unknown`` where its metadata is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _show(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
