"""`evalharness label`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from evalharness.cli.options import json_option, split_commas
from evalharness.errors import ExitCode


@click.command("label")
@click.argument("run", metavar="RUN")
@click.option(
    "-r", "--rubric", default="", metavar="NAME|FILE", help="The questions (default: the run's rubric)."
)
@click.option("--size", type=click.IntRange(min=1), default=50, show_default=True, help="How many items.")
@click.option(
    "--by", default="random", show_default=True, metavar="random|disagreement|uncertainty|metadata.KEY",
    help="How items are drawn.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed draws the same items.")
@click.option(
    "--raters", multiple=True, metavar="NAME[,NAME…]", help="One page for each, with items of their own."
)
@click.option(
    "--overlap",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Items that all of --raters get.",
)
@click.option("-o", "--out", metavar="PATH", help="Where the page goes (default: label.html in RUN).")
@json_option
def command(**options: Any) -> int:
    """Write an offline page in which people label a sample of a run, blind to judges and systems.

    What the page exports is what `agree --labels` reads. Random samples can be generalised from; the other ways of
    drawing keep each item's probability in the export.

    \b
    evalharness label reports/logs
    evalharness label reports/logs --raters ann,ben --overlap 20 --size 100
    """
    from evalharness.api.labelling import LabelJob, make_label_pages

    made = make_label_pages(
        LabelJob(
            run=Path(options["run"]),
            rubric=options["rubric"],
            size=options["size"],
            by=options["by"],
            seed=options["seed"],
            raters=split_commas(options["raters"]),
            overlap=options["overlap"],
            out=None if options["out"] is None else Path(options["out"]),
        )
    )
    if options["json"]:
        pages = [{"page": str(path), "items": items} for path, items in made.pages]
        click.echo(
            json.dumps({"rubric": made.rubric, "population": made.population, "pages": pages}, indent=1)
        )
        return int(ExitCode.OK)
    for path, items in made.pages:
        click.echo(f"{path}: {items:,} of {made.population:,} items, rubric {made.rubric}")
    click.echo(
        f"open it in a browser, label, export; then: evalharness agree {options['run']} --labels labels-*.csv",
        err=True,
    )
    return int(ExitCode.OK)
