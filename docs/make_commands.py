"""Write docs/commands.md: what every command says of itself. Run `python docs/make_commands.py` after changing one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from evalharness.cli import CONTEXT, cli

PAGE = Path(__file__).parent / "commands.md"
_HEAD = """\
# Commands

Data goes to stdout, talk and progress to stderr. `--json` is there wherever a machine may read. Every option of a
command has an environment variable (`EVALHARNESS_SCORE_CONCURRENCY`) and may stand in `evalharness.yaml`; see
[settings](concepts.md#settings). Exit codes and error messages: [errors](errors.md).
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(
        f"\n## `{name}`\n\n```\n{text}\n```\n" for name, text in _helps(cli, "evalharness", None)
    )


def _helps(command: click.Command, path: str, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command, info_name=path.split()[-1], parent=parent, terminal_width=100, **_settings(parent)
    )
    if parent is not None:
        yield path, command.get_help(context).rstrip()
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield from _helps(child, f"{path} {name}", context)


def _settings(parent: click.Context | None) -> dict[str, object]:
    return {} if parent is not None else {"help_option_names": CONTEXT["help_option_names"]}


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
