"""Named plug-ins: what others register through entry points, found without importing it before it is used."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from evalharness.errors import UsageError

METRICS = "evalharness.metrics"
CHECKS = "evalharness.checks"
JUDGES = "evalharness.judges"
READERS = "evalharness.readers"


@cache
def plugins(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name; a name registered twice is a usage error that names both."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if point.name in found and found[point.name].value != point.value:
            raise UsageError(
                f"two installed packages register {point.name!r} in {group}: "
                f"{found[point.name].value} and {point.value}",
                fix="Uninstall one of them.",
            )
        found[point.name] = point
    return found


def load_plugin(group: str, name: str) -> Callable[..., Any] | None:
    """The object that a plug-in registers under this name, or None when there is no such plug-in."""
    point = plugins(group).get(name)
    if point is None:
        return None
    try:
        loaded: Callable[..., Any] = point.load()
    except Exception as error:
        raise UsageError(f"the plug-in {name!r} ({point.value}) could not be loaded: {error!r}") from error
    return loaded


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist, with the nearest ones that do."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    fix = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(names)}."
    return UsageError(f"there is no {kind} {name!r}", fix=fix)
