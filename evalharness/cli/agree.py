"""`evalharness agree`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
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
from evalharness.cli.options import Finite, json_option, quiet_option, split_commas

_GROUPINGS = ("pooled", "by_group", "by_system", "system")
_KINDS = {"expert": 0.2, "skilled": 0.15, "crowd": 0.1}


@click.command("agree")
@click.argument("run", required=False, metavar="RUN")
@label_options
@weights_option
@click.option(
    "--statistic", multiple=True, metavar="NAME[,NAME…]", help="Show these instead of what fits the scale."
)
@click.option(
    "--grouping", multiple=True, type=click.Choice(_GROUPINGS), help="How figures are averaged (repeats)."
)
@click.option(
    "--slice", "slices", multiple=True, metavar="KEY", help="Also by this metadata, e.g. system (repeats)."
)
@click.option("--all", "everything", is_flag=True, help="Every statistic under every grouping that fits it.")
@click.option(
    "--rater-kind", type=click.Choice(list(_KINDS)), default="expert", show_default=True,
    help="Whom the alternative annotator test would replace.",
)  # fmt: skip
@click.option(
    "--as-judge", multiple=True, metavar="GLOB", help="Raters of pair labels that are judges, e.g. 'gpt-4*'."
)
@click.option(
    "--require", multiple=True, metavar="STATISTIC>=X",
    help="Exit 1 unless it holds: 'kappa>=.6', 'tone:spearman.low>=.5', 'kappa[lang=*]>=.4' (repeats).",
)  # fmt: skip
@click.option(
    "--interval", type=click.Choice(["cr1", "jackknife", "bca", "bootstrap-t"]), default="cr1", show_default=True,
    help="Intervals of the figures shown first: linearised, or by resampling groups.",
)  # fmt: skip
@click.option("--plan", is_flag=True, help="Say how many labels a half-width needs; reads nothing.")
@click.option(
    "--half-width",
    type=Finite(0, 1, min_open=True),
    default=0.1,
    show_default=True,
    help="For --plan.",
)
@json_option
@quiet_option
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Compare the judges and metrics of a run with human labels.

    \b
    evalharness agree reports/logs --labels labels.csv
    evalharness agree reports/logs --labels labels.csv --require 'helpfulness:spearman.low>=.4'
    evalharness agree --plan --half-width .1
    """
    if options["plan"]:
        _print_plan(options)
        return
    if options["run"] is None or not options["labels"]:
        raise click.UsageError("RUN and --labels are needed.", context)
    from evalharness.api.agreeing import check_requirements, run_agree

    job = make_job(options)
    result = run_agree(job, sys.stdin.buffer)
    _print(result, options)
    check_requirements(result.agreement, job.requirements)


def make_job(options: Mapping[str, Any]) -> Any:
    """The job that the options describe."""
    from evalharness.analysis.agreement.intervals import Interval
    from evalharness.analysis.agreement.names import known_statistic
    from evalharness.analysis.agreement.require import parse_requirement
    from evalharness.analysis.agreement.types import OWN_SLICES
    from evalharness.api.agreeing import AgreeJob
    from evalharness.stats.averaging import Grouping

    requirements = tuple(parse_requirement(text) for text in options["require"])
    chosen = comparison(
        options,
        statistics=tuple(known_statistic(name) for name in split_commas(options["statistic"])),
        groupings=tuple(Grouping(name) for name in options["grouping"]) or (Grouping.POOLED,),
        epsilon=_KINDS[options["rater_kind"]],
        judges=split_commas(options["as_judge"]),
        interval=Interval(options["interval"]),
        slice_statistics=tuple(dict.fromkeys(r.statistic for r in requirements if r.slice)),
    )
    needed = (r.slice_key for r in requirements if r.slice and r.slice_key not in OWN_SLICES)
    asked = (*split_commas(options["slices"]), *needed)
    join = joining_of_labels(options, tuple(dict.fromkeys(asked)))
    if join.raters:
        from dataclasses import replace

        join = replace(join, raters=(*join.raters, *chosen.judges))
    return AgreeJob(
        Path(options["run"]),
        tuple(options["labels"]),
        reading_of_labels(options),
        join,
        chosen,
        requirements,
        everything=True if options["everything"] or requirements else None,
    )


def _print(result: Any, options: Mapping[str, Any]) -> None:
    from evalharness.report.agreement.console import agreement_text
    from evalharness.report.agreement.document import agreement_json

    if options["json"]:
        click.echo(agreement_json(result.agreement, result.fingerprint), nl=False)
        return
    if options["quiet"]:
        return
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((100, 24)).columns
    text = agreement_text(result.agreement, width, color=color, everything=options["everything"])
    click.echo("\n".join(line.rstrip() for line in text.split("\n")))
    click.echo(f"\nreport: {result.folder.path / 'agree.html'}")
    if result.folder.page.exists():
        click.echo("`evalharness report RUN` puts it into report.html.")


def _print_plan(options: Mapping[str, Any]) -> None:
    import json
    from dataclasses import asdict

    from evalharness.analysis.agreement.budget import label_budget
    from evalharness.report.agreement.console import budget_text

    rows = label_budget(options["half_width"])
    if options["json"]:
        click.echo(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        click.echo(budget_text(rows, options["half_width"]))
