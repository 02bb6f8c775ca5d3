"""The short table that ends a command: every mean beside its counts."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict

import click

from evalharness.analysis.types import Analysis
from evalharness.api.scoring import RunResult
from evalharness.cli.batches import batch_lines
from evalharness.core.text import log_safe, one_line
from evalharness.data.ledger.batches import BatchState
from evalharness.engine.estimate import SECONDS_PER_REQUEST, JudgeEstimate
from evalharness.report.console import summary_table
from evalharness.report.document import report_json


def print_result(result: RunResult, *, as_json: bool, quiet: bool) -> None:
    """The summary of a run on stdout (or its report.json), warnings and what to do next on stderr."""
    if as_json:
        click.echo(report_json(result.analysis), nl=False)
    elif not quiet:
        print_table(result.analysis)
    for warning in result.warnings:
        click.echo(f"note: {one_line(warning, 300)}", err=True)
    for stop in result.finished.stopped:
        click.echo(
            click.style("stopped: ", fg="yellow") + log_safe(f"{stop.judge}: {stop.fault.detail}"), err=True
        )
    if result.batches:
        waiting = f"{result.finished.waiting:,} items wait for batches in flight (see docs/batch.md):"
        click.echo("\n".join((waiting, *(f"  {line}" for line in batch_lines(result.batches)))), err=True)
        if any(batch.state is BatchState.MISSING for batch in result.batches):
            click.echo(
                "--resubmit-lost asks again what the provider does not know; so does --finish-live",
                err=True,
            )
    if not result.complete:
        click.echo("the run is incomplete; the same command goes on where it stopped", err=True)
    if not quiet and not as_json:
        click.echo(f"\nreport: {result.folder.page}")


def print_table(analysis: Analysis) -> None:
    """The summary table on stdout, as wide as the terminal."""
    table = summary_table(analysis, shutil.get_terminal_size((100, 24)).columns, color=_colored())
    click.echo("\n".join(line.rstrip() for line in table.split("\n")))


def print_estimate(estimates: Sequence[JudgeEstimate], *, as_json: bool) -> None:
    """What a run would send, by judge."""
    if as_json:
        click.echo(json.dumps([asdict(row) for row in estimates], indent=1))
        return
    if not estimates:
        click.echo("no judge: nothing would be sent")
    for row in estimates:
        click.echo(log_safe(row.name))
        click.echo(f"  items     {row.items:,} ({row.done:,} done)")
        click.echo(f"  requests  {row.requests:,} ({row.cached:,} answered from the cache)")
        if row.in_batches:
            click.echo(f"  batches   {row.in_batches:,} more are in batches already")
        if row.requests:
            click.echo(f"  tokens    about {row.input_tokens:,} in, {row.output_tokens:,} out")
            click.echo(f"  cost      {_dollars(row.typical_cost)} usual, at most {_dollars(row.most_cost)}")
        if row.batches:
            told = "1 batch" if row.batches == 1 else f"{row.batches:,} batches"
            click.echo(f"  time      {told} at batch prices, answered within 24 hours")
        elif row.batches is None and row.seconds is not None:
            click.echo(
                f"  time      about {row.seconds:,.0f} s, if an answer takes {SECONDS_PER_REQUEST:g} s"
            )
    click.echo("nothing was sent")


def quote_line(row: JudgeEstimate) -> str:
    """What asking a judge again would send, in a line."""
    cached = f", {row.cached:,} more answered before" if row.cached or row.done else ""
    cost = f", {_dollars(row.typical_cost)} usual, at most {_dollars(row.most_cost)}" if row.requests else ""
    return log_safe(one_line(f"again: {row.name}: {row.requests:,} requests{cached}{cost}", 200))


def _dollars(cost: float | None) -> str:
    return "unpriced" if cost is None else f"${cost:,.4f}"


def _colored() -> bool:
    """Whether stdout takes colours: a terminal, and the user has not said NO_COLOR."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
