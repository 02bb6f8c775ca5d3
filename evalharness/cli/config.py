"""evalharness.yaml: defaults for the options of every command, facts about models, and prices.

    score:
      metric: [bleu, rouge]
      rubric: [support-reply]
      judge: [openai:gpt-6-luna]
    judges:
      jury: {panel: [openai:gpt-6-luna, anthropic:claude-haiku-5-5], combine: median}
    models:
      my-model: {temperature: true}

Keys under a command are its option names; ``judges`` are judges made of others (see ``judges.compose``). A file in the
working folder may set defaults; it can neither hold a key nor send one to another host (see ``llm.keys``).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from evalharness.errors import ConfigError, Problem

DEFAULT = "evalharness.yaml"
_ONLY_ASKED = frozenset({"insecure-http", "insecure_http"})
"""Options that a file may not set: a file in the working folder must not weaken what protects keys and dialogues."""
_SECTIONS = ("judges", "models", "prices")


def apply_config(context: click.Context, name: str | None) -> None:
    """Read the settings file, if there is one, into the defaults of all commands."""
    path = Path(name) if name else Path(DEFAULT)
    if not path.exists():
        if name:
            raise ConfigError(f"there is no settings file {name}")
        return
    from evalharness.data.strictyaml import load_mapping

    settings = load_mapping(path)
    context.obj = {section: settings.pop(section, {}) for section in _SECTIONS}
    _check_judges(context.obj["judges"], path)
    context.default_map = _defaults(context, settings, path)


def _check_judges(judges: Any, path: Path) -> None:
    """The section ``judges`` must hold definitions under plain names, which no other judge's name can be taken for."""
    if not isinstance(judges, dict):
        raise ConfigError(Problem(f"judges must hold definitions, found {judges!r}", str(path)))
    problems = [
        Problem(f"{name!r} is no name for a judge", str(path), fix="Use letters, digits, '_', '-' and '.'.")
        for name in judges
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name)
    ]
    if problems:
        raise ConfigError(problems)


def _defaults(context: click.Context, settings: dict[str, Any], path: Path) -> dict[str, Any]:
    group = context.command
    assert isinstance(group, click.Group)
    known = group.list_commands(context)
    problems = [
        Problem(f"{name!r} is no command", str(path), fix=f"Known: {', '.join([*known, *_SECTIONS])}.")
        for name in settings
        if name not in known
    ]
    defaults = {}
    for name, options in settings.items():
        if name not in known:
            continue
        if not isinstance(options, dict):
            problems.append(Problem(f"{name} must hold options, found {options!r}", str(path)))
            continue
        command = group.get_command(context, name)
        assert command is not None
        problems += _unknown_options(command, name, options, path)
        defaults[name] = {key.replace("-", "_"): value for key, value in options.items()}
    if problems:
        raise ConfigError(problems)
    return defaults


def _unknown_options(command: click.Command, name: str, options: dict[str, Any], path: Path) -> list[Problem]:
    if isinstance(command, click.Group):
        return []
    names = {_long_name(option): option.name for option in command.params if isinstance(option, click.Option)}
    accepted = {*names, *names.values()} - _ONLY_ASKED
    return [
        Problem(f"{name} has no option {key!r}", str(path), fix=f"Known: {', '.join(sorted(names))}.")
        for key in options
        if key not in accepted
    ]


def _long_name(option: click.Option) -> str:
    return max(option.opts, key=len).lstrip("-")
