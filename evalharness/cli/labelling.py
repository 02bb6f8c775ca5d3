"""Options of the commands that read labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from evalharness.cli.options import pairs, split_commas

F = TypeVar("F", bound=Callable[..., Any])


def label_options(command: F) -> F:
    """How labels are read and joined to the run."""
    for option in reversed(
        (
            click.option(
                "-l", "--labels", multiple=True, metavar="FILE", help="Labels, any form (repeats)."
            ),
            click.option("--format", "format", metavar="NAME", help="Force a label format (default: by shape)."),
            click.option(
                "--field", "field", multiple=True, metavar="OURS=THEIRS",
                help="Name the field of the label file that holds one of ours (dialogue, rater, value …).",
            ),
            click.option(
                "--key", default="id", show_default=True, metavar="KEY",
                help="What labels name dialogues by: id, group or metadata.NAME.",
            ),
            click.option(
                "--map", "map", multiple=True, metavar="RUBRIC=LABEL",
                help="The label criterion that belongs to a rubric's criterion (default: the same name).",
            ),
            click.option("--raters", multiple=True, metavar="GLOB", help="Only these raters, e.g. 'expert_*'."),
            click.option(
                "--aggregate", type=click.Choice(["mean", "min", "last"]),
                help="Let scores of turns meet labels of whole dialogues.",
            ),
            click.option(
                "--scale", multiple=True, metavar="RUBRIC=LABELS",
                help="Labels on another scale: 0..2=1..5, or CRITERION=1..5; any: rank statistics alone.",
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def weights_option(command: F) -> F:
    """Whether the probabilities in the labels are used."""
    return click.option("--unweighted", is_flag=True, help="Don't weight by the labels' column probability.")(
        command
    )


def reading_of_labels(options: Mapping[str, Any]) -> Any:
    """The LabelOptions that the options describe."""
    from evalharness.data.labels.raw import LabelOptions

    return LabelOptions(options["format"], pairs("field", options["field"]))


def joining_of_labels(options: Mapping[str, Any], slices: tuple[str, ...] = ()) -> Any:
    """The JoinOptions that the options describe."""
    from evalharness.analysis.agreement.joining import JoinOptions

    return JoinOptions(options["key"], split_commas(options["raters"]), slices)


def comparison(options: Mapping[str, Any], **more: Any) -> Any:
    """The AgreeOptions that the options describe."""
    from evalharness.analysis.agreement.contest import AgreeOptions
    from evalharness.analysis.agreement.scales import parse_scales
    from evalharness.analysis.agreement.table import Aggregate

    return AgreeOptions(
        map=pairs("map", options["map"]),
        scales=parse_scales(options["scale"]),
        aggregate=None if options["aggregate"] is None else Aggregate(options["aggregate"]),
        weigh=not options.get("unweighted", False),
        **more,
    )
