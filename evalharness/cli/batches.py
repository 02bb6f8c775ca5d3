"""Options for providers' batch APIs, and how batches are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from evalharness.core.text import log_safe
from evalharness.errors import UsageError

if TYPE_CHECKING:
    from evalharness.data.ledger.batches import StoredBatch
    from evalharness.engine.batch_rounds import Batching

F = TypeVar("F", bound=Callable[..., Any])

POLL = 60.0


def batch_options(command: F) -> F:
    """How provider batches are used."""
    for option in reversed(
        (
            click.option("--batch", is_flag=True, help="Ask by the provider's batch API: cheaper, within a day."),
            click.option("--wait", is_flag=True, help="With --batch: go on until everything is in."),
            click.option(
                "--poll", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
                help=f"With --wait or --finish-live: time between two looks.  [default: {POLL:g}]",
            ),
            click.option(
                "--batch-size", type=click.IntRange(min=1), metavar="N", help="Requests per batch.  [default: 10000]"
            ),
            click.option(
                "--finish-live", is_flag=True, help="Cancel batches in flight, keep their answers, ask the rest live."
            ),
            click.option(
                "--resubmit-lost", is_flag=True, help="With --batch: ask again what the provider no longer knows of."
            ),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def make_batching(options: Mapping[str, Any]) -> Batching | None:
    """How the options say that batches are used; None where they say nothing of them."""
    from evalharness.engine.batch_rounds import Batching
    from evalharness.engine.batching import DEFAULT_LIMITS
    from evalharness.llm.batches import BatchLimits

    batch, live = options["batch"], options["finish_live"]
    if batch and live:
        raise UsageError(
            "--batch and --finish-live exclude each other", fix="Leave --batch out to finish live."
        )
    for name, needed in (
        ("wait", batch),
        ("batch_size", batch),
        ("resubmit_lost", batch),
        ("poll", batch or live),
    ):
        if options[name] and not needed:
            raise UsageError(f"--{name.replace('_', '-')} needs --batch", fix="Add --batch.")
    if not batch and not live:
        return None
    return Batching(
        submit=batch,
        wait=options["wait"],
        poll=options["poll"] or POLL,
        cancel=live,
        give_up=options["resubmit_lost"] or live,
        limits=BatchLimits(options["batch_size"] or DEFAULT_LIMITS.requests, DEFAULT_LIMITS.bytes),
    )


def batch_lines(batches: Iterable[StoredBatch]) -> list[str]:
    """A line for each batch: its id, model, state, how many requests have a row, since when."""
    return [log_safe(_line(batch)) for batch in batches]


def _line(batch: StoredBatch) -> str:
    state = {"sending": "not known whether it arrived", "missing": "not known to the provider"}.get(
        batch.state.value, batch.word or batch.state.value
    )
    since = (
        "" if batch.sent is None else datetime.fromtimestamp(batch.sent, UTC).strftime("  %Y-%m-%d %H:%M UTC")
    )
    return f"{batch.remote or batch.marker}  {batch.model}  {state}, {batch.done:,}/{batch.requests:,} done{since}"
