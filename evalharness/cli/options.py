"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from evalharness.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


class Finite(click.FloatRange):
    """A number within bounds; unlike click's own ranges, never nan (which no limit would stop) and never infinite."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or a usage error."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number.", param, ctx)
        return number


AMOUNT = Finite(min=0)
"""Money, or anything else that may be nothing."""
POSITIVE = Finite(min=0, min_open=True)
"""Seconds, or anything else that must be something."""


def reading_options(command: F) -> F:
    """How dialogue files are read."""
    for option in reversed(
        (
            click.option("--format", "format", metavar="NAME", help="Force a file format (default: by shape)."),
            click.option(
                "--map", "map", multiple=True, metavar="OURS=THEIRS", help="Name the field that holds one of ours."
            ),
            click.option("--set", "set", multiple=True, metavar="KEY=VALUE", help="Add metadata to every dialogue."),
            click.option("--references", metavar="FILE", help="Known good replies from a second file."),
            click.option(
                "--max-line-bytes", type=click.IntRange(min=1), default=16 << 20, show_default=True,
                help="Longest line that is read.",
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def asking_options(command: F) -> F:
    """How a judge's model is asked."""
    for option in reversed(
        (
            click.option("--temperature", type=AMOUNT, help="Where the model takes one."),
            click.option("--effort", help="Reasoning effort, where the model takes one."),
            click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer of a judge."),
            click.option(
                "--api", type=click.Choice(["responses", "chat"]), help="Force the OpenAI API flavour."
            ),
            click.option(
                "--concurrency", type=click.IntRange(min=1), default=16, show_default=True,
                help="Requests in flight.",
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def reading(options: Mapping[str, Any]) -> Any:
    """The ReadOptions that :func:`reading_options` describe."""
    from evalharness.data.dialogues import ReadOptions

    return ReadOptions(
        format=options["format"],
        map=pairs("map", options["map"]),
        set=pairs("set", options["set"]),
        references=options["references"],
        max_line_bytes=options["max_line_bytes"],
    )


def json_option(command: F) -> F:
    """Machine-readable output on stdout."""
    return click.option("--json", "json", is_flag=True, help="Print JSON on stdout.")(command)


def quiet_option(command: F) -> F:
    """No progress and no summary."""
    return click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")(command)


def redact_options(command: F) -> F:
    """What is masked in dialogues."""
    for option in reversed(
        (
            click.option(
                "--redact", is_flag=True,
                help="Mask e-mail, phone, card, IBAN and key-like strings with placeholders like [EMAIL-1].",
            ),
            click.option(
                "--redact-pattern", multiple=True, metavar="NAME=REGEX",
                help="Mask what matches as [NAME-1] too (repeats; turns --redact on).",
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def redact_map_option(command: F) -> F:
    """Where the way back from placeholders is kept."""
    return click.option(
        "--redact-map",
        metavar="FILE",
        help="Write what stands behind each placeholder to FILE, readable by you alone (turns --redact on).",
    )(command)


def redaction_of(options: Mapping[str, Any]) -> Any:
    """The redaction that the options describe; None for none."""
    from evalharness.api.redacting import Redaction
    from evalharness.core.redaction.detect import parse_pattern

    map_file = options.get("redact_map")
    if not (options["redact"] or options["redact_pattern"] or map_file):
        return None
    patterns = tuple(parse_pattern(entry) for entry in options["redact_pattern"])
    return Redaction.of(patterns, Path(map_file) if map_file else None)


def pairs(option: str, entries: Iterable[str]) -> dict[str, str]:
    """``KEY=VALUE`` entries of a repeated option as a mapping."""
    found: dict[str, str] = {}
    for entry in entries:
        key, sign, value = entry.partition("=")
        if not sign or not key.strip():
            raise UsageError(f"--{option} {entry!r} has no '='", fix=f"Write --{option} name=value.")
        found[key.strip()] = value
    return found


def split_commas(entries: Iterable[str]) -> tuple[str, ...]:
    """Values of a repeated option that also takes lists with commas (not inside brackets or after a colon)."""
    found: list[str] = []
    for entry in entries:
        found += _split(entry)
    return tuple(part.strip() for part in found if part.strip())


def _split(entry: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for position, char in enumerate(entry):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(entry[start:position])
            start = position + 1
    return [*parts, entry[start:]]
