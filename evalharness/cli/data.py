"""`evalharness data validate|convert|sample`."""

from __future__ import annotations

from typing import Any

import click

from evalharness.cli.options import json_option, pairs, reading_options


@click.group("data")
def command() -> None:
    """Check, convert and sample dialogue files."""


def read_options(options: dict[str, Any]) -> Any:
    """The ReadOptions that the shared options describe."""
    from evalharness.data.dialogues import ReadOptions

    return ReadOptions(
        format=options["format"],
        map=pairs("map", options["map"]),
        set=pairs("set", options["set"]),
        references=options["references"],
        max_line_bytes=options["max_line_bytes"],
    )


__all__ = ["command", "json_option", "reading_options"]
