"""`evalharness cascade plan`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from evalharness.cli.labelling import comparison, joining_of_labels, label_options, reading_of_labels
from evalharness.cli.options import json_option, pairs, quiet_option
from evalharness.errors import ExitCode, UsageError


@click.group("cascade")
def command() -> None:
    """Plan a cascade of a cheap and a dear judge from labels."""


@command.command("plan")
@click.argument("run", metavar="RUN")
@click.option("--cheap", required=True, metavar="JUDGE", help="The judge of the run that sees every item.")
@click.option(
    "--dear", required=True, metavar="JUDGE", help="The judge that sees what the cheap one is not sure of."
)
@label_options
@click.option(
    "--risk", type=click.FloatRange(0, 1), help="The mean loss to stay below (default: the dear judge's own)."
)
@click.option(
    "--loss", type=click.Choice(["distance", "pass"]), default="distance", show_default=True,
    help="Distance from the mean rating as a share of the scale, or: on the wrong side of the pass rule.",
)  # fmt: skip
@click.option(
    "--price",
    multiple=True,
    metavar="JUDGE=USD",
    help="What an item costs, where the run does not tell (repeats).",
)
@click.option(
    "--near",
    multiple=True,
    metavar="[CRITERION=]AMOUNT",
    help="Values so near to the pass threshold go on: in units of the scale, or a share of it like 10% (repeats).",
)
@json_option
@quiet_option
@click.pass_context
def plan(context: click.Context, /, **options: Any) -> int:
    """Choose the confidence from which a cheap judge is believed, and price the cascade. Nothing is asked.

    Both judges must have judged the labelled items of RUN. A threshold is proposed only if it holds out of bag. --near
    prices a cascade that sends on what is close to the gate, without labels, too.

    \b
    evalharness score logs.jsonl -r support-reply -j cheap=local:smollm2 -j dear=openai:gpt-6-luna -o reports/both
    evalharness cascade plan reports/both --labels labels.csv --cheap cheap --dear dear
    """
    from evalharness.api.cascading import PlanJob, run_plan
    from evalharness.report.cascading import plan_json, plan_text

    if not options["labels"] and not options["near"]:
        raise click.UsageError("--labels or --near is needed.", context)
    job = PlanJob(
        Path(options["run"]),
        tuple(options["labels"]),
        options["cheap"],
        options["dear"],
        options["risk"],
        options["loss"],
        {name: _usd(name, text) for name, text in pairs("price", options["price"]).items()},
        reading_of_labels(options),
        joining_of_labels(options),
        comparison(options),
        _near(options["near"]),
    )
    result = run_plan(job, sys.stdin.buffer)
    if options["json"]:
        click.echo(plan_json(result.plans), nl=False)
    elif not options["quiet"]:
        click.echo("\n\n".join(plan_text(found) for found in result.plans))
        click.echo(f"\nfile: {result.written}")
    return int(ExitCode.OK)


def _near(given: tuple[str, ...]) -> Any:
    """The bands that --near names: one for all criteria, or by criterion."""
    from evalharness.data.policies import parse_amount
    from evalharness.judges.bands import Bands

    amounts: dict[str, Any] = {}
    for text in given:
        name, _, size = text.rpartition("=")
        try:
            found = parse_amount(size if "%" in size else float(size))
        except ValueError:
            found = None
        if found is None:
            raise UsageError(
                f"--near {text} is no distance",
                fix="Write units of the scale, or a share of it: --near quality=10%.",
            )
        amounts[name] = found
    return Bands(amounts, amounts.pop("", None)) if amounts else None


def _usd(name: str, text: str) -> float:
    try:
        price = float(text)
    except ValueError:
        price = -1.0
    if not 0.0 <= price < float("inf"):
        raise UsageError(
            f"--price {name}={text} is no price", fix="Write USD per item, e.g. --price cheap=0.0002."
        )
    return price
