"""`evalharness init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from evalharness.errors import UsageError

if TYPE_CHECKING:
    from evalharness.data.ci_files import System

_SYSTEMS = ("github", "gitlab", "pre-commit")


@click.command("init")
@click.argument("folder", default=".", type=click.Path(file_okay=False))
@click.option("--rubric", "name", default="my-rubric", show_default=True, help="Name of the first rubric.")
@click.option("--unit", type=click.Choice(["turn", "dialogue"]), default="turn", show_default=True)
@click.option("--judge", default="local:smollm2", show_default=True, help="The judge to begin with.")
@click.option(
    "--ci",
    multiple=True,
    type=click.Choice(_SYSTEMS),
    help="Also a gate policy and files for this system (repeats).",
)
def command(folder: str, name: str, unit: str, judge: str, ci: tuple[str, ...]) -> None:
    """Write evalharness.yaml and a first rubric, and with --ci what a pipeline needs; nothing is overwritten.

    \b
    evalharness init --ci github --ci pre-commit
    """
    from evalharness.core.dialogue import Unit
    from evalharness.data.ci_files import ci_files
    from evalharness.data.rubric_starter import starter
    from evalharness.judges.spec import parse_spec

    parse_spec(judge)
    root = Path(folder)
    rubric = Path("rubrics") / f"{name}.yaml"
    systems = cast("tuple[System, ...]", tuple(system for system in _SYSTEMS if system in ci))
    files = {
        Path("evalharness.yaml"): _settings(rubric, judge),
        rubric: starter(name, Unit(unit)),
        **ci_files(systems),
    }
    taken = [str(path) for path in files if (root / path).exists()]
    if taken:
        raise UsageError(
            f"{', '.join(taken)} exist already", fix="Choose another folder or another --rubric name."
        )
    for path, text in files.items():
        try:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"can't write {root / path}: {error.strerror}") from error
        click.echo(f"wrote {root / path}")
    click.echo(f"next: edit {root / rubric}, then evalharness score LOGS.jsonl")
    if systems:
        click.echo(
            "the pipeline needs scenarios.yaml (docs/running.md) and a baseline: evalharness baseline save"
        )


def _settings(rubric: Path, judge: str) -> str:
    return f"""\
# Defaults for the options of every command; the command line and the environment win over them.
score:
  metric: [surface]
  rubric: ["{rubric.as_posix()}"]
  judge: ["{judge}"]
  # concurrency: 8
  # samples: 1
"""
