"""`evalharness data validate|convert|sample`."""

from __future__ import annotations

import json as json_module
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from evalharness.cli.options import json_option, pairs, reading_options
from evalharness.core.text import log_safe, one_line
from evalharness.errors import ExitCode, InputError

if TYPE_CHECKING:
    from evalharness.data.dialogues import ReadOptions
    from evalharness.data.summaries import Lengths, Names
    from evalharness.data.survey import Survey

_MOST_PROBLEMS = 50
_MOST_NAMES = 6


@click.group("data")
def command() -> None:
    """Check, convert and sample dialogue files."""


@command.command("validate")
@click.argument("dialogues", nargs=-1, required=True, metavar="DIALOGUES…")
@reading_options
@json_option
def validate(dialogues: tuple[str, ...], json: bool, **options: Any) -> int:
    """Read everything and say what is there, with every problem by file and line.

    Exit code 0 when every line is usable, else 2.
    """
    from evalharness.data.survey import survey

    found = survey(dialogues, read_options(options), stdin=sys.stdin.buffer)
    if json:
        click.echo(json_module.dumps({**asdict(found), "usable": found.usable}, indent=1, ensure_ascii=True))
    else:
        for line in _survey_lines(found):
            click.echo(log_safe(line))
        for problem in found.problems[:_MOST_PROBLEMS]:
            click.echo(click.style("error: ", fg="red") + log_safe(str(problem)), err=True)
        if found.problem_count > _MOST_PROBLEMS:
            click.echo(f"… and {found.problem_count - _MOST_PROBLEMS:,} more problems", err=True)
    return int(ExitCode.OK if found.usable else ExitCode.USAGE)


@command.command("convert")
@click.argument("dialogues", nargs=-1, required=True, metavar="DIALOGUES…")
@click.option(
    "-o", "--out", required=True, metavar="FILE", help="Where to write (.gz and .zst pack; - for stdout)."
)
@click.option("--labels", metavar="FILE", help="Write the ratings that the files hold here (.csv or .jsonl).")
@click.option("--skip-bad-lines", is_flag=True, help="Leave bad lines out and count them.")
@reading_options
def convert(
    dialogues: tuple[str, ...], out: str, labels: str | None, skip_bad_lines: bool, **options: Any
) -> None:
    """Write dialogues of any format as native JSON Lines."""
    from evalharness.data.writing import convert as convert_files

    done = convert_files(
        dialogues, out, read_options(options), labels=labels, skip_bad_lines=skip_bad_lines,
        stdin=sys.stdin.buffer, stdout=sys.stdout.buffer,
    )  # fmt: skip
    for problem in done.rejected[:_MOST_PROBLEMS]:
        click.echo(click.style("left out: ", fg="yellow") + log_safe(str(problem)), err=True)
    parts = [f"{done.dialogues:,} dialogues"]
    if labels:
        parts.append(f"{done.labels:,} ratings")
    if done.rejected_count:
        parts.append(f"{done.rejected_count:,} bad lines left out")
    click.echo(f"wrote {', '.join(parts)}", err=True)


@command.command("sample")
@click.argument("dialogues", nargs=-1, required=True, metavar="DIALOGUES…")
@click.option("-n", "--size", type=click.IntRange(min=1), required=True, help="How many dialogues.")
@click.option("-o", "--out", default="-", metavar="FILE", help="Where to write (default: stdout).")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="The same seed draws the same dialogues."
)
@click.option("--by", metavar="KEY", help="Stratify by a metadata key, or by group.")
@click.option(
    "--allocation", type=click.Choice(["proportional", "equal"]), default="proportional", show_default=True,
    help="How strata share the sample.",
)  # fmt: skip
@reading_options
def sample(
    dialogues: tuple[str, ...],
    size: int,
    out: str,
    seed: int,
    by: str | None,
    allocation: str,
    **options: Any,
) -> None:
    """Draw a seeded random or stratified sample; each dialogue's probability goes into its metadata."""
    from evalharness.data.dialogues import Read, read_dialogues
    from evalharness.data.sampling import Allocation, draw
    from evalharness.data.writing import write_dialogues

    def reads() -> Iterator[Read]:
        for row in read_dialogues(dialogues, read_options(options), stdin=sys.stdin.buffer):
            if not isinstance(row, Read):
                raise InputError(row.problem)
            yield row

    drawn = draw(reads(), size, seed=seed, by=by, allocation=Allocation(allocation))
    write_dialogues(out, (read.dialogue for read in drawn.reads), sys.stdout.buffer)
    for stratum in drawn.strata:
        name = f"{one_line(stratum.name, 40)}: " if by else ""
        click.echo(
            f"{name}{stratum.drawn:,} of {stratum.population:,} (probability {stratum.probability:.4g})",
            err=True,
        )


def read_options(options: dict[str, Any]) -> ReadOptions:
    """The ReadOptions that the shared options describe."""
    from evalharness.data.dialogues import ReadOptions

    return ReadOptions(
        format=options["format"],
        map=pairs("map", options["map"]),
        set=pairs("set", options["set"]),
        references=options["references"],
        max_line_bytes=options["max_line_bytes"],
    )


def _survey_lines(found: Survey) -> Iterator[str]:
    for file in found.files:
        extra = f", {file.blank_lines:,} blank lines" if file.blank_lines else ""
        rejected = f", {file.rejected:,} bad" if file.rejected else ""
        yield f"{file.source}: {file.dialect} in {file.container}, {file.records:,} records{rejected}{extra}"
    yield f"dialogues   {found.dialogues:,} in {found.groups:,} groups (the largest has {found.largest_group:,})"
    yield f"messages    {found.turns:,}: {_names(found.roles)}; {_lengths(found.turns_per_dialogue)} a dialogue"
    given = f", {found.given:,} of them given (not scored)" if found.given else ""
    yield f"replies     {found.replies:,}{given}; {_lengths(found.reply_length)} characters"
    yield f"references  {found.references:,} on {found.with_references:,} replies"
    yield f"context     {found.with_turn_context:,} replies, {found.with_context:,} dialogues have documents"
    if found.with_tools or found.tool_calls.counts:
        yield f"tools       {found.with_tools:,} dialogues offer some: {_names(found.tools)}"
        yield f"tool calls  {_names(found.tool_calls) or 'none'}"
    if found.with_goal:
        yield f"goals       {found.with_goal:,} dialogues"
    for key, values in found.metadata.items():
        yield f"metadata    {one_line(key, 30)}: {_names(values)}"
    for criterion, ratings in found.ratings.items():
        by = f"{ratings.count:,} by {ratings.raters:,} raters"
        yield f"ratings     {one_line(criterion, 30)}: {by}: {_names(ratings.values)}"
    if found.pair_ratings:
        yield f"ratings     {found.pair_ratings:,} of pairs"
    for note, count in found.notes.counts:
        yield f"note        {note} ({count:,})"
    if found.unused_references:
        first = f", first {found.first_unused_reference}" if found.first_unused_reference else ""
        yield f"note        {found.unused_references:,} references fit no reply{first}"
    if found.invisible:
        places = ", ".join(f"{origin.source}:{origin.line}" for origin in found.invisible_at[:3])
        yield f"note        {found.invisible:,} dialogues hold control, direction or invisible characters ({places} …)"
    yield "every line is usable" if found.usable else f"{found.problem_count:,} problems"


def _names(names: Names) -> str:
    shown = [f"{one_line(name, 30)} {count:,}" for name, count in names.counts[:_MOST_NAMES]]
    hidden = len(names.counts) - len(shown) + (1 if names.more else 0)
    return ", ".join(shown) + (f", … {hidden:,} more" if hidden > 0 else "")


def _lengths(lengths: Lengths) -> str:
    if not lengths.count:
        return "none"
    return f"{lengths.least:,} to {lengths.greatest:,} (median {lengths.median:,})"
