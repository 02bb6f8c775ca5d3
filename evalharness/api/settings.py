"""The sections of evalharness.yaml that say what judges are, for the command line and for tests alike.

``judges`` are judges made of others (see ``judges.compose``), ``models`` facts about models, ``prices`` what they cost.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalharness.core.canonical import Json
from evalharness.errors import ConfigError, Problem

DEFAULT = "evalharness.yaml"
SECTIONS = ("judges", "models", "prices")
_NAMED_BY = "EVALHARNESS_CONFIG"


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """What a settings file says of judges; empty where there is none."""

    judges: Mapping[str, Json] = field(default_factory=dict)
    models: Mapping[str, Json] = field(default_factory=dict)
    prices: Mapping[str, Json] = field(default_factory=dict)


def judge_settings() -> JudgeSettings:
    """The sections of the file that the command line would read: EVALHARNESS_CONFIG, or evalharness.yaml here."""
    path = settings_path(os.environ.get(_NAMED_BY))
    if path is None:
        return JudgeSettings()
    sections, _ = read_settings(path)
    models = {key: value for key, value in sections["models"].items() if key != "insecure_http"}
    return JudgeSettings(sections["judges"], models, sections["prices"])


def settings_path(name: str | None) -> Path | None:
    """The settings file, None where there is none; :class:`ConfigError` where a named one is missing."""
    path = Path(name) if name else Path(DEFAULT)
    if path.exists():
        return path
    if name:
        raise ConfigError(f"there is no settings file {name}")
    return None


def read_settings(path: Path) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The sections, and everything else in the file: the options of commands."""
    from evalharness.data.strictyaml import load_mapping

    rest = load_mapping(path)
    sections = {name: rest.pop(name, {}) for name in SECTIONS}
    for name, held in sections.items():
        if not isinstance(held, dict):
            raise ConfigError(Problem(f"{name} must hold definitions, found {held!r}", str(path)))
    _check_names(sections["judges"], path)
    return sections, rest


def _check_names(judges: Mapping[str, Any], path: Path) -> None:
    """Definitions stand under plain names, which no other judge's name can be taken for."""
    problems = [
        Problem(f"{name!r} is no name for a judge", str(path), fix="Use letters, digits, '_', '-' and '.'.")
        for name in judges
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name)
    ]
    if problems:
        raise ConfigError(problems)
