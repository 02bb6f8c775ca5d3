"""`evalharness cache stats|clear|prune`."""

from __future__ import annotations

import json as json_module
import re
import time
from contextlib import closing

import click

from evalharness.cli.options import json_option
from evalharness.errors import UsageError

_SIZES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_DAY = 86_400.0


@click.group("cache")
def command() -> None:
    """Show and clear the verdict cache (answers that were paid for, shared by all runs)."""


@command.command("stats")
@json_option
def stats(json: bool) -> None:
    """Where the cache is and what it holds."""
    from evalharness.data.cache import VerdictCache

    with closing(VerdictCache()) as cache:
        found = cache.stats()
    if json:
        facts = {
            "path": str(found.path),
            "entries": found.entries,
            "bytes": found.size,
            "oldest": found.oldest,
            "outcomes": found.outcomes,
        }
        click.echo(json_module.dumps(facts, indent=1))
        return
    click.echo(f"{found.path}\n{found.entries:,} verdicts, {found.size / (1 << 20):.1f} MiB")
    if found.outcomes:
        click.echo(
            f"{found.outcomes:,} outcomes were read from them, for the next run over the same dialogues"
        )
    if found.oldest is not None:
        click.echo(f"the oldest is {(time.time() - found.oldest) / _DAY:.1f} days old")


@command.command("clear")
@click.option("--yes", is_flag=True, help="Don't ask.")
def clear(yes: bool) -> None:
    """Remove every cached verdict: they will be paid for again when needed."""
    from evalharness.data.cache import VerdictCache, discard_cache, is_in_use
    from evalharness.errors import StorageError

    try:
        with closing(VerdictCache()) as cache:
            count = cache.stats().entries
            if count and not yes:
                click.confirm(f"Remove {count:,} paid verdicts?", abort=True, err=True)
            click.echo(f"removed {cache.clear():,} verdicts")
    except StorageError as error:
        if is_in_use(error):
            raise
        if not yes:
            click.confirm("The cache is damaged. Remove it?", abort=True, err=True)
        discard_cache()
        click.echo("removed a damaged cache")


@command.command("prune")
@click.option("--older-than", metavar="AGE", help="Entries older than this, e.g. 30d or 12h.")
@click.option("--max-size", metavar="SIZE", help="The oldest entries beyond this size, e.g. 500M.")
def prune(older_than: str | None, max_size: str | None) -> None:
    """Remove old entries by age or size."""
    from evalharness.data.cache import VerdictCache

    if older_than is None and max_size is None:
        raise UsageError("nothing to prune by", fix="Add --older-than 30d or --max-size 500M.")
    age = None if older_than is None else parse_age(older_than)
    size = None if max_size is None else parse_size(max_size)
    with closing(VerdictCache()) as cache:
        click.echo(f"removed {cache.prune(older_than=age, max_bytes=size):,} verdicts")


def parse_age(text: str) -> float:
    """Seconds of an age like 30d, 12h, 90m."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([dhm])", text.strip().lower())
    if match is None:
        raise UsageError(f"{text!r} is no age", fix="Write e.g. 30d, 12h or 90m.")
    return float(match.group(1)) * {"d": _DAY, "h": 3600.0, "m": 60.0}[match.group(2)]


def parse_size(text: str) -> int:
    """Bytes of a size like 500M or 2G."""
    match = re.fullmatch(r"(\d{1,18})([kmg]?)i?b?", text.strip().lower())
    if match is None:
        raise UsageError(f"{text!r} is no size", fix="Write e.g. 500M or 2G.")
    return int(match.group(1)) * _SIZES[match.group(2)]
