"""`evalharness run`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from evalharness.cli.options import POSITIVE, json_option, pairs, quiet_option
from evalharness.errors import ExitCode


@click.command("run")
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIOS…")
@click.option(
    "-t", "--target", required=True, metavar="COMMAND|URL|MODULE:FUNCTION", help="The system under test."
)
@click.option(
    "-o", "--out", default="dialogues.jsonl", show_default=True, metavar="FILE", help="Where dialogues go."
)
@click.option(
    "--trials", type=click.IntRange(1, 1000), default=1, show_default=True, help="Playings per scenario."
)
@click.option(
    "--concurrency", type=click.IntRange(min=1), default=4, show_default=True, help="Playings at once."
)
@click.option("--timeout", type=POSITIVE, default=60.0, show_default=True, help="Seconds per reply.")
@click.option("--model", default="default", show_default=True, help="The model to ask a chat server for.")
@click.option("--template", metavar="FILE", help="How another JSON API is asked (see docs/running.md).")
@click.option("--set", "set", multiple=True, metavar="KEY=VALUE", help="Add metadata, e.g. system=v2.")
@json_option
@quiet_option
def command(**options: Any) -> int:
    """Play scripted users against a system under test and write the dialogues.

    A failing target is a failure with its cause (exit code 3), never a dialogue. The same command goes on where it
    stopped.

    \b
    evalharness run scenarios.yaml --target 'python bot.py' --set system=v2 --out v2.jsonl
    evalharness run scenarios.yaml --target http://localhost:8000/v1 --model my-bot --trials 3
    """
    from evalharness.api.playing import RunJob, run_scenarios

    job = RunJob(
        scenarios=tuple(options["scenarios"]),
        target=options["target"],
        out=Path(options["out"]),
        trials=options["trials"],
        concurrency=options["concurrency"],
        timeout=options["timeout"],
        model=options["model"],
        template=options["template"],
        set=pairs("set", options["set"]),
    )
    shown = not options["quiet"] and sys.stderr.isatty()
    result = run_scenarios(job, _show if shown else None)
    if shown:
        click.echo(err=True)
    _print(result, as_json=options["json"], quiet=options["quiet"])
    if result.left:
        return int(ExitCode.INTERRUPTED)
    return int(ExitCode.OK if result.complete else ExitCode.INCOMPLETE)


def _show(done: int, total: int) -> None:
    click.echo(f"\rplayed {done} of {total}", nl=False, err=True)


def _print(result: Any, *, as_json: bool, quiet: bool) -> None:
    from evalharness.core.text import log_safe

    causes = Counter(played.cause for played in result.failures)
    if as_json:
        summary = {
            "out": str(result.out), "dialogues": result.dialogues, "failed": dict(sorted(causes.items())),
            "left": result.left,
        }  # fmt: skip
        click.echo(json.dumps(summary, indent=1))
    elif not quiet:
        click.echo(f"{result.out}: {result.dialogues:,} dialogues")
    for played in result.failures[:10]:
        play = played.play
        told = f"{play.scenario.id} trial {play.trial}, user turn {played.failed_at}: {played.cause}: {played.detail}"
        click.echo(click.style("failed: ", fg="red") + log_safe(told), err=True)
    if len(result.failures) > 10:
        click.echo(f"… {len(result.failures) - 10} more in {result.out}.failures", err=True)
    if not result.complete:
        click.echo("incomplete: the same command plays what is missing", err=True)
