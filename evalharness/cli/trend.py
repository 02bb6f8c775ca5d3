"""`evalharness trend`."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.cli.options import json_option, quiet_option
from evalharness.errors import ExitCode


@click.command("trend")
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option(
    "-o", "--out", default="reports/trend", show_default=True, metavar="DIR", help="Where the page goes."
)
@json_option
@quiet_option
def command(runs: tuple[str, ...], out: str, json: bool, quiet: bool) -> int:
    """Show quality per criterion over runs or baseline files, oldest first, and where the instrument changed.

    \b
    evalharness trend reports/week1 reports/week2 reports/week3
    """
    from evalharness.api.trending import trend_of
    from evalharness.report.trend import trend_json, trend_text

    result = trend_of([Path(run) for run in runs], Path(out))
    if json:
        click.echo(trend_json(result.history), nl=False)
    elif not quiet:
        click.echo(trend_text(result.history))
        click.echo(f"\npage: {result.written[1]}")
    return int(ExitCode.OK)
