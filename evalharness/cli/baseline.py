"""`evalharness baseline save|show|anchors|promote`."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Any

import click

from evalharness.cli.options import json_option
from evalharness.core.text import log_safe, one_line


@click.group("baseline")
def command() -> None:
    """Save, show and promote baselines, compact files that a gate compares runs with; freeze anchors."""


@command.command("save")
@click.argument("run", metavar="RUN")
@click.option(
    "-o", "--out", default="baseline.json", show_default=True, metavar="FILE", help="A name in .gz is packed."
)
def save(run: str, out: str) -> None:
    """Write a run's scores, signatures and hashes to one file. It holds no dialogue text."""
    from evalharness.api.gating import save_baseline

    snapshot = save_baseline(Path(run), Path(out))
    _tell_written(out, snapshot)


@command.command("show")
@click.argument("baseline", metavar="RUN|FILE")
@json_option
def show(baseline: str, json: bool) -> None:
    """What a baseline holds: age, dialogues, and each criterion with its mean and signature."""
    from evalharness.api.snapshots import load_snapshot
    from evalharness.cli.gate import age_of

    snapshot = load_snapshot(Path(baseline))
    rows = [_row(series) for series in snapshot.series]
    if json:
        head = {"name": snapshot.name, "created": snapshot.created, "partial": snapshot.partial}
        counts = {"dialogues": len(snapshot.subjects), "groups": snapshot.groups}
        click.echo(json_module.dumps({**head, **counts, "criteria": rows}, indent=1))
        return
    age = age_of(snapshot.created)
    click.echo(log_safe(f"{one_line(snapshot.name)}, {snapshot.created}{f' ({age} old)' if age else ''}"))
    click.echo(f"{len(snapshot.subjects):,} dialogues in {snapshot.groups:,} groups")
    for row in rows:
        mean = "–" if row["mean"] is None else f"{row['mean']:.3f}"
        click.echo(
            log_safe(one_line(f"{row['criterion']}  mean {mean}  {row['scored']} of {row['items']}", 120))
        )
        click.echo(log_safe(f"  {one_line(str(row['signature']), 400)}"))


@command.command("anchors")
@click.argument("run", metavar="RUN")
@click.option("-l", "--labels", multiple=True, metavar="FILE", help="Human labels of the items (repeats).")
@click.option(
    "-o", "--out", default="anchors.jsonl", show_default=True, metavar="FILE", help="A name in .gz is packed."
)
@click.option(
    "--size", type=click.IntRange(min=2), help="How many items (default: all labelled ones, else 50)."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed draws the same items.")
def anchors(run: str, labels: tuple[str, ...], out: str, size: int | None, seed: int) -> None:
    """Freeze items of a run, with their verdicts and labels, that every later gate has judged afresh.

    A gate whose policy names the file (`anchors: anchors.jsonl`) lets the run's own judge answer them anew, and so
    tells a judge that moved from a system that changed. The file holds the dialogues' texts.
    """
    from evalharness.api.anchoring import AnchorJob, make_anchors

    made = make_anchors(AnchorJob(Path(run), Path(out), labels, size=size, seed=seed))
    labelled = sum(bool(anchor.labels) for anchor in made.items)
    criteria = ", ".join(f"{column.criterion} ({column.scorer})" for column in made.columns)
    text = f"wrote {out}: {len(made.items):,} anchors of {made.run}, {labelled:,} with labels; {criteria}"
    click.echo(log_safe(one_line(text, 400)))


@command.command("promote")
@click.argument("run", metavar="RUN")
@click.option(
    "--to", "to", default="baseline.json", show_default=True, metavar="FILE", help="The baseline to replace."
)
@click.option("--force", is_flag=True, help="Also a run whose gate did not pass, or was not run.")
def promote(run: str, to: str, force: bool) -> None:
    """Make a run that passed its gate the new baseline."""
    from evalharness.api.gating import promote as make_baseline

    _tell_written(to, make_baseline(Path(run), Path(to), force=force))


def _row(series: Any) -> dict[str, Any]:
    values = [mark.value for mark in series.marks if mark.value is not None]
    return {
        "criterion": series.column.criterion,
        "scorer": series.column.scorer,
        "items": series.items,
        "scored": len(values),
        "mean": sum(values) / len(values) if values else None,
        "signature": series.column.signature,
    }


def _tell_written(out: str, snapshot: Any) -> None:
    text = f"wrote {out}: {len(snapshot.subjects):,} dialogues, {len(snapshot.series)} criteria of {snapshot.name}"
    click.echo(log_safe(text))
