"""`evalharness trials`."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.cli.options import json_option, quiet_option
from evalharness.errors import ExitCode


@click.command("trials")
@click.argument("run", metavar="RUN")
@click.option(
    "-k", type=click.IntRange(1, 1000), help="The largest k (default: as many trials as there are)."
)
@json_option
@quiet_option
def command(run: str, k: int | None, json: bool, quiet: bool) -> int:
    """Show how reliably tasks are done over repeated trials: pass^k and pass@k.

    A task is a group, a trial a dialogue of it (metadata.trial); what passes is what each criterion's pass rule says.

    \b
    evalharness run scenarios.yaml --target 'python bot.py' --trials 4 --out played.jsonl
    evalharness score played.jsonl --check 'metadata:reward>=1' --metric trajectory --out reports/played
    evalharness trials reports/played
    """
    from evalharness.api.trialling import run_trials
    from evalharness.report.trials import trials_json, trials_text

    result = run_trials(Path(run), k)
    if json:
        click.echo(trials_json(result.trials), nl=False)
    elif not quiet:
        click.echo(trials_text(result.trials))
        click.echo(f"\nfile: {result.written}")
    return int(ExitCode.OK)
