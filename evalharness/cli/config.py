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

from pathlib import Path
from typing import Any

import click

from evalharness.api.settings import SECTIONS, read_settings, settings_path
from evalharness.errors import ConfigError, Problem

_ONLY_ASKED = frozenset({"insecure-http", "insecure_http"})
"""Options that a file may not set: a file in the working folder must not weaken what protects keys and dialogues."""


def apply_config(context: click.Context, name: str | None) -> None:
    """Read the settings file, if there is one, into the defaults of all commands."""
    path = settings_path(name)
    if path is not None:
        context.obj, commands = read_settings(path)
        context.default_map = _defaults(context, commands, path)


def _defaults(context: click.Context, settings: dict[str, Any], path: Path) -> dict[str, Any]:
    group = context.command
    assert isinstance(group, click.Group)
    known = group.list_commands(context)
    problems = [
        Problem(f"{name!r} is no command", str(path), fix=f"Known: {', '.join([*known, *SECTIONS])}.")
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
