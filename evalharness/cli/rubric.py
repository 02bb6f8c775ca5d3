"""`evalharness rubric lint|show|new|schema`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from evalharness.cli.options import json_option
from evalharness.core.text import log_safe
from evalharness.errors import ExitCode, RubricError, UsageError


@click.group("rubric")
def command() -> None:
    """Check, show and start rubric files."""


@command.command("lint")
@click.argument("rubrics", nargs=-1, metavar="[NAME|FILE]…")
@click.option("--strict", is_flag=True, help="Findings, too, end with exit code 2.")
@json_option
def lint(rubrics: tuple[str, ...], strict: bool, json: bool) -> int:
    """Find mistakes and weak spots in rubric files (default: the built-in ones).

    Errors keep a rubric from loading and end with exit code 2. Findings make judges worse: unanchored levels, two
    questions in one, a missing `needs`, text that YAML cut.
    """
    from evalharness.data.builtin import builtin_rubrics
    from evalharness.data.rubric_lint import lint_files

    names = rubrics or tuple(builtin_rubrics())
    findings, errors = lint_files(names)
    if json:
        _print_json(
            [{"code": f.code, **_place(f.problem)} for f in findings]
            + [{"code": "error", **_place(problem)} for problem in errors]
        )
    else:
        for problem in errors:
            click.echo(log_safe(f"{problem} [error]"))
        for finding in findings:
            click.echo(log_safe(f"{finding.problem} [{finding.code}]"))
        if not errors and not findings:
            click.echo(f"{len(names)} rubric{'s' if len(names) != 1 else ''}: nothing to improve")
    return int(ExitCode.USAGE if errors or (strict and findings) else ExitCode.OK)


@command.command("show")
@click.argument("rubric", metavar="NAME|FILE")
@click.option(
    "--judge", default="openai:MODEL", show_default=True, help="For which judge the request is shown."
)
@click.option("--dialogues", metavar="FILE", help="Show it for a dialogue of this file (default: a sample).")
@click.option(
    "--dialogue", "dialogue", metavar="ID", help="For the dialogue with this id (default: the first)."
)
@json_option
def show(rubric: str, judge: str, dialogues: str | None, dialogue: str | None, json: bool) -> None:
    """Print the exact request that a judge gets: instructions, dialogue, and the schema of its answer."""
    from evalharness.api.showing import shown_requests
    from evalharness.data.rubrics import load_rubric

    loaded = load_rubric(rubric)
    requests = shown_requests(loaded, judge, dialogues, dialogue)
    if json:
        _print_json({"rubric": loaded.name, "judge_hash": loaded.judge_hash, "full_hash": loaded.full_hash,
                     "requests": requests})  # fmt: skip
        return
    click.echo(f"{loaded.name} version {loaded.version} · {loaded.unit.value} · judge sees {loaded.judge_hash}"
               f" · whole {loaded.full_hash}")  # fmt: skip
    for request in requests:
        for part in ("system", "shared", "ask"):
            click.echo(click.style(f"\n── {part} ", bold=True) + "─" * 40)
            click.echo(log_safe(str(request[part])))
        if request["schema"] is not None:
            click.echo(click.style("\n── schema ", bold=True) + "─" * 40)
            _print_json(request["schema"])
        labels = request["labels"]
        if isinstance(labels, list) and labels:
            click.echo(f"\nlabels: {', '.join(str(label) for label in labels)}")


@command.command("new")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--unit", type=click.Choice(["turn", "dialogue", "pair"]), default="turn", show_default=True)
def new(file: str, unit: str) -> None:
    """Write a commented rubric to start from; an existing file is never overwritten."""
    from evalharness.core.dialogue import Unit
    from evalharness.data.rubric_starter import starter

    path = Path(file)
    if path.exists():
        raise UsageError(f"{file} exists already", fix="Name another file.")
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{file} has no name that ends in .yaml")
    name = "".join(char if char.isalnum() or char in "_.-" else "-" for char in path.stem)
    try:
        path.write_text(starter(name, Unit(unit)), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"can't write {file}: {error.strerror}") from error
    click.echo(f"wrote {file}; next: evalharness rubric lint {file}")


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of rubric files, for editors."""
    from evalharness.data.rubric_schema import rubric_schema

    _print_json(rubric_schema())


@command.command("list")
@json_option
def list_rubrics(json: bool) -> None:
    """List the built-in rubrics with their criteria."""
    from evalharness.data.builtin import builtin_rubrics
    from evalharness.data.rubrics import load_rubric

    loaded = [load_rubric(str(path)) for path in builtin_rubrics().values()]
    if json:
        _print_json([{"rubric": r.name, "version": r.version, "unit": r.unit.value,
                      "criteria": [c.id for c in r.criteria]} for r in loaded])  # fmt: skip
        return
    for found in loaded:
        click.echo(f"{found.name:18} {found.unit.value:9} {', '.join(c.id for c in found.criteria)}")


def _place(problem: object) -> dict[str, object]:
    from dataclasses import asdict

    from evalharness.errors import Problem

    assert isinstance(problem, Problem)
    return asdict(problem)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=1, ensure_ascii=True))


__all__ = ["RubricError", "command"]
