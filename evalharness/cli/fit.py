"""`evalharness fit`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from evalharness.cli.labelling import comparison, joining_of_labels, label_options, reading_of_labels
from evalharness.cli.options import json_option, quiet_option, split_commas

_MOST_ALONE = 6


@click.command("fit")
@click.argument("run", metavar="RUN")
@label_options
@click.option(
    "-o", "--out", default="judge.json", show_default=True, metavar="FILE", help="Where the judge goes."
)
@click.option("--unit", type=click.Choice(["turn", "dialogue"]), help="Learn from labels of these alone.")
@click.option(
    "--with",
    "stacked",
    multiple=True,
    metavar="GLOB",
    help="Build on these scorers of the run, too, e.g. 'gpt*' or chrf (repeats).",
)
@click.option("--select", is_flag=True, help="Let the fit choose among its features.")
@click.option("--seed", type=int, default=0, show_default=True)
@json_option
@quiet_option
def command(**options: Any) -> None:
    """Learn a judge from your labels: free and instant to run with --judge fitted:FILE.

    A ridge regression per criterion over the length, variety and overlap of replies, checked on groups and systems
    that it has not seen. With --with it is stacked on other scorers, which then have to run beside it.

    \b
    evalharness fit reports/logs --labels labels.csv --out judge.json
    evalharness score new.jsonl --rubric support-reply --judge fitted:judge.json
    evalharness fit reports/logs --labels labels.csv --with 'openai*' --select --out stacked.json
    """
    from evalharness.api.fitting import FitJob, learned_json, run_fit
    from evalharness.core.dialogue import Unit

    job = FitJob(
        Path(options["run"]),
        tuple(options["labels"]),
        Path(options["out"]),
        reading_of_labels(options),
        joining_of_labels(options),
        comparison(options),
        None if options["unit"] is None else Unit(options["unit"]),
        options["seed"],
        split_commas(options["stacked"]),
        options["select"],
    )
    result = run_fit(job, sys.stdin.buffer)
    if options["json"]:
        click.echo(json.dumps({row.criterion: learned_json(row) for row in result.learned}, indent=1))
    elif not options["quiet"]:
        _print(result)


def _print(result: Any) -> None:
    from evalharness.core.text import log_safe, one_line
    from evalharness.report.figures import interval, percent

    click.echo("Spearman with the raters' mean")
    for row in result.learned:
        click.echo(log_safe(f"{one_line(row.criterion, 60)} · {row.model.n:,} labelled items"))
        click.echo(f"  by held-out group   {interval(row.by_group)}")
        system = (
            interval(row.by_system) if row.by_system.value is not None else f"– ({row.by_system.undefined})"
        )
        click.echo(f"  by held-out system  {system}")
        click.echo(f"  length alone        {interval(row.length)}")
        curve = "  ".join(f"{point.labels}: {point.spearman:.2f}" for point in row.curve)
        click.echo(f"  by labels           {curve or '–'}")
        for name, estimate in row.alone[:_MOST_ALONE]:
            click.echo(log_safe(f"  {one_line(name, 40)} alone: {interval(estimate)}"))
        if len(row.alone) > _MOST_ALONE:
            click.echo(f"  … {len(row.alone) - _MOST_ALONE} more scorers alone (--json)")
        heavy = ", ".join(f"{name} {weight:+.2f}" for name, weight in row.weights[:5] if weight)
        click.echo(f"  heaviest features   {heavy}")
        click.echo(f"  outside training    {percent(row.outside)} of held-out items")
    for note in result.notes:
        click.echo(log_safe(f"note: {one_line(note, 200)}"), err=True)
    for name, reason in result.unfitted:
        click.echo(log_safe(f"{one_line(name, 60)}: not fitted, {one_line(reason, 200)}"), err=True)
    click.echo(f"\njudge: fitted:{result.path}")
