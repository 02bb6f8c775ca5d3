"""`evalharness diff`."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.cli.options import json_option, quiet_option
from evalharness.errors import ExitCode


@click.command("diff")
@click.argument("old", metavar="RUN0")
@click.argument("new", metavar="RUN")
@click.option("-o", "--out", metavar="DIR", help="Where diff.html and diff.json go (default: RUN).")
@click.option(
    "--pair-by",
    default="group",
    show_default=True,
    metavar="group|dialogue|metadata.KEY",
    help="What belongs together.",
)
@click.option(
    "--most", type=click.IntRange(1, 1000), default=40, show_default=True, help="How many movers to show."
)
@json_option
@quiet_option
def command(old: str, new: str, out: str | None, pair_by: str, most: int, json: bool, quiet: bool) -> int:
    """Show what changed between two runs: criteria, the items that moved most, both conversations side by side.

    It decides nothing: that is what `gate` is for.

    \b
    evalharness diff reports/v1 reports/v2
    """
    from evalharness.api.diffing import diff_runs
    from evalharness.report.diff import diff_json, diff_text

    result = diff_runs(
        Path(old), Path(new), out=None if out is None else Path(out), pair_by=pair_by, most=most
    )
    if json:
        click.echo(diff_json(result.changes), nl=False)
    elif not quiet:
        click.echo(diff_text(result.changes))
        click.echo(f"\npage: {result.written[1]}")
    return int(ExitCode.OK)
