"""`evalharness calibrate`."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from evalharness.cli.labelling import (
    comparison,
    joining_of_labels,
    label_options,
    reading_of_labels,
    weights_option,
)
from evalharness.cli.options import json_option, quiet_option


@click.command("calibrate")
@click.argument("run", metavar="RUN")
@label_options
@weights_option
@click.option("-o", "--out", metavar="FILE", help="Where the result goes (default: in the run folder).")
@click.option(
    "--probability",
    metavar="NAME",
    help="Metadata that holds each dialogue's chance of being labelled (default: the labels' probability).",
)
@click.option("--apply", "file", metavar="FILE", help="Apply a calibration to this run's scores instead.")
@json_option
@quiet_option
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Carry a judge's scores to the human scale, and estimate the mean quality of all items from few labels.

    \b
    evalharness calibrate reports/logs --labels labels.csv
    evalharness calibrate reports/new --apply reports/logs/calibration.json
    """
    if options["file"] is not None:
        from evalharness.api.calibrating import apply_calibration

        out = None if options["out"] is None else Path(options["out"])
        path = apply_calibration(Path(options["run"]), Path(options["file"]), out)
        if not options["quiet"]:
            click.echo(f"wrote {path}")
        return
    if not options["labels"]:
        raise click.UsageError("--labels or --apply is needed.", context)
    _calibrate(options)


def _calibrate(options: Mapping[str, Any]) -> None:
    from evalharness.api.calibrating import CalibrateJob, calibration_json, run_calibrate

    run = Path(options["run"])
    job = CalibrateJob(
        run,
        tuple(options["labels"]),
        Path(options["out"]) if options["out"] else run / "calibration.json",
        reading_of_labels(options),
        joining_of_labels(options),
        comparison(options),
        options["probability"],
    )
    result = run_calibrate(job, sys.stdin.buffer)
    if options["json"]:
        click.echo(calibration_json(list(result.calibrated)), nl=False)
    elif not options["quiet"]:
        _print(result)


def _print(result: Any) -> None:
    from evalharness.core.text import log_safe, one_line

    for row in result.calibrated:
        click.echo(
            log_safe(
                f"{one_line(row.scorer, 40)} on {one_line(row.criterion, 40)} · {row.n:,} labelled items"
            )
        )
        for name, text in _figures(row):
            _wrapped(f"  {name:<21}", text, 23)
        for caution in row.mean.cautions:
            _wrapped("  caution: ", caution.text, 4)
        for note in row.notes:
            _wrapped("  note: ", log_safe(note), 4)
    for name, reason in result.unfitted:
        click.echo(log_safe(f"{one_line(name, 90)}: not calibrated, {reason}"), err=True)
    click.echo(f"\ncalibration: {result.path}")


def _wrapped(first: str, text: str, indent: int) -> None:
    """A line of the result, broken at the terminal's width."""
    width = shutil.get_terminal_size((100, 24)).columns
    click.echo(textwrap.fill(first + text, width, subsequent_indent=" " * indent, break_long_words=False))


def _figures(row: Any) -> Iterator[tuple[str, str]]:
    """Name and text of each figure of a calibration."""
    from evalharness.report.figures import interval, number

    yield "mean of all items", f"{interval(row.mean.estimate)} ({row.mean.estimate.method})"
    yield "labels alone", interval(row.mean.human_only)
    yield "judge alone", number(row.mean.judge_only)
    if row.by_strata is not None:
        yield "post-stratified", interval(row.by_strata.estimate)
    if row.corrected_rate is not None:
        yield "Rogan-Gladen", _or_why(row.corrected_rate)
    if row.mean.effective_labels is not None:
        yield "worth", f"{number(row.mean.effective_labels)} labels alone"
    after = "" if row.calibrated is None else f", calibrated {interval(row.calibrated.ece)}"
    yield "calibration error", f"{interval(row.raw.ece)}{after} (of the scale)"
    if row.brier is not None:
        yield "Brier score", f"{interval(row.brier)}{_murphy(row.murphy)}"
    if row.rps is not None:
        yield "ranked probability", f"{interval(row.rps)} (cross-fitted ordinal logit)"
    if row.half_width is not None:
        held = "" if row.coverage is None else f" (of groups held out: {interval(row.coverage)})"
        yield "one item", f"±{number(row.half_width)} holds 90 % of ratings{held}"


def _or_why(estimate: Any) -> str:
    """An estimate, with the reason where it has no value."""
    from evalharness.report.figures import interval

    why = f" ({estimate.undefined})" if estimate.value is None and estimate.undefined else ""
    return f"{interval(estimate)}{why}"


def _murphy(parts: Any) -> str:
    """Murphy's parts of a Brier score: of reliability less is better, of resolution more."""
    from evalharness.report.figures import number

    if parts is None:
        return ""
    names = ("reliability", "resolution", "uncertainty")
    return f" ({', '.join(f'{name} {number(getattr(parts, name))}' for name in names)})"
