"""`evalharness runs list|show|rm`."""

from __future__ import annotations

import json as json_module
import shutil
from pathlib import Path

import click

from evalharness.cli.batches import batch_lines
from evalharness.cli.options import json_option
from evalharness.core.text import log_safe, one_line
from evalharness.errors import UsageError


@click.group("runs")
def command() -> None:
    """List, show, merge and remove run folders."""


@command.command("list")
@click.argument("folder", default="reports", metavar="[FOLDER]")
@json_option
def list_runs(folder: str, json: bool) -> None:
    """The run folders below FOLDER (default: reports), newest first."""
    from evalharness.api.folder import find_runs

    found = find_runs(Path(folder))
    if json:
        click.echo(json_module.dumps(found, indent=1))
        return
    if not found:
        click.echo(f"no run folder below {folder}")
    for run in found:
        state = f"PARTIAL ({run['partial']})" if run["partial"] else "complete"
        line = f"{run['folder']}  {run['dialogues']} dialogues  {run['scorers']} scorers  {state}  {run['changed']}"
        click.echo(log_safe(line))


@command.command("show")
@click.argument("run", metavar="RUN")
@json_option
def show(run: str, json: bool) -> None:
    """The summary of a run, computed from its ledger, and its batches in flight."""
    from evalharness.api.folder import open_run
    from evalharness.api.rendering import stored_analysis
    from evalharness.cli.summary import print_table
    from evalharness.data.ledger.batches import OPEN
    from evalharness.report.document import report_json

    with open_run(run) as (_, ledger):
        analysis = stored_analysis(ledger)
        batches = ledger.batches.all(OPEN)
    if json:
        click.echo(report_json(analysis), nl=False)
        return
    print_table(analysis)
    for line in batch_lines(batches):
        click.echo(f"batch in flight: {line}")


@command.command("merge")
@click.argument("pieces", nargs=-1, required=True, metavar="PIECE…")
@click.option("-o", "--out", required=True, metavar="DIR", help="The new run folder.")
def merge(pieces: tuple[str, ...], out: str) -> None:
    """Join the pieces that `score --shard I/N` made into one run; gaps and overlaps are refused."""
    from evalharness.api.merging import merge_runs
    from evalharness.cli.summary import print_table

    folder, analysis = merge_runs(pieces, Path(out))
    print_table(analysis)
    click.echo(f"\nreport: {log_safe(str(folder.page))}")


@command.command("rm")
@click.argument("runs", nargs=-1, required=True, metavar="RUN…")
@click.option("--yes", is_flag=True, help="Don't ask.")
def remove(runs: tuple[str, ...], yes: bool) -> None:
    """Remove run folders with everything in them. Cached verdicts stay."""
    from evalharness.api.folder import requests_in_flight
    from evalharness.data.lock import exclusive

    folders = [Path(run) for run in runs]
    flying, unread = 0, []
    for folder in folders:
        if not (folder / "run.sqlite").is_file() or folder.is_symlink():
            raise UsageError(f"{folder} is no run folder", fix="Only folders that `score` wrote are removed.")
        requests = requests_in_flight(folder / "run.sqlite")
        flying += requests or 0
        unread += [folder] if requests is None else []
    if not yes:
        names = ", ".join(one_line(str(folder)) for folder in folders)
        lost = (
            f" {flying:,} requests are in batches in flight; their answers would be lost." if flying else ""
        )
        for folder in unread:
            lost += f" {one_line(str(folder))} can't be read: batches in flight would not be known."
        click.confirm(f"Remove {names}?{lost}", abort=True, err=True)
    for folder in folders:
        if not folder.exists():  # named twice, or inside of one that is gone
            continue
        with exclusive(folder):
            shutil.rmtree(folder)
        click.echo(log_safe(f"removed {folder}"))
