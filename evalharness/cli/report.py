"""`evalharness report`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from evalharness.cli.options import redact_options, redaction_of
from evalharness.core.text import log_safe
from evalharness.errors import UsageError

_FORMATS = ("html", "json", "jsonl", "csv", "parquet")


@click.command("report")
@click.argument("run", metavar="RUN")
@click.option("-f", "--format", "format", type=click.Choice(_FORMATS), default="html", show_default=True)
@click.option(
    "-o", "--out", metavar="FILE", help="Where to write it (default: in the run folder; - for stdout)."
)
@click.option(
    "--no-text", is_flag=True, help="Leave out everything that quotes a dialogue; ids and values stay."
)
@redact_options
@click.option(
    "-b",
    "--baseline",
    metavar="RUN0|FILE",
    help="Gate the run against it first, as `gate` does, for the page.",
)
@click.option(
    "-l",
    "--labels",
    multiple=True,
    metavar="FILE",
    help="Compare with labels first, as `agree` does (repeats).",
)
def command(run: str, format: str, out: str | None, **options: Any) -> None:  # noqa: A002
    """Render a run again from its ledger, in any format.

    The page shows what `agree` and `gate` last said of these scores.
    """
    from evalharness.api.folder import open_run
    from evalharness.api.rendering import export_parquet, render, stored_analysis, target
    from evalharness.api.views import View
    from evalharness.data.files import write_text
    from evalharness.report.console import masked_line

    _compare(run, options)
    redaction = redaction_of(options)
    view = View(None if redaction is None else redaction.redactor, text=not options["no_text"])
    with open_run(run) as (folder, ledger):
        if format == "parquet":
            if out == "-":
                raise UsageError("Parquet can't be written to stdout", fix="Name a file with --out.")
            path = Path(out) if out else folder.path / "scores.parquet"
            click.echo(log_safe(f"wrote {path}, {export_parquet(ledger, path, view)} rows"))
            return
        text = render(folder, ledger, stored_analysis(ledger), format, view)
        if out == "-":
            for piece in [text] if isinstance(text, str) else text:
                click.echo(piece, nl=False)
            return
        path = Path(out) if out else target(folder, format)
        write_text(path, text)
    click.echo(log_safe(f"wrote {path}"))
    if view.redactor is not None and format != "json":
        click.echo(masked_line(sorted(view.masked.items())))


def _compare(run: str, options: Mapping[str, Any]) -> None:
    """What is to stand in the run folder before the page is made."""
    if options["baseline"]:
        from evalharness.api.gating import GateJob, run_gate

        run_gate(GateJob(Path(run), Path(options["baseline"])))
    if options["labels"]:
        from evalharness.api.agreeing import AgreeJob, run_agree

        run_agree(AgreeJob(Path(run), tuple(options["labels"])))
