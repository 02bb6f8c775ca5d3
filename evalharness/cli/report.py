"""`evalharness report`."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.core.text import log_safe

_FORMATS = ("html", "json", "jsonl", "csv")


@click.command("report")
@click.argument("run", metavar="RUN")
@click.option("-f", "--format", "format", type=click.Choice(_FORMATS), default="html", show_default=True)
@click.option(
    "-o", "--out", metavar="FILE", help="Where to write it (default: in the run folder; - for stdout)."
)
def command(run: str, format: str, out: str | None) -> None:  # noqa: A002
    """Render a run again from its ledger, in any format."""
    from evalharness.api.audit_reading import read_audits
    from evalharness.api.folder import open_run
    from evalharness.api.rendering import render, stored_analysis, target
    from evalharness.data.files import write_text

    with open_run(run) as (folder, ledger):
        text = render(ledger, stored_analysis(ledger), format, read_audits(folder.path))
        if out == "-":
            for piece in [text] if isinstance(text, str) else text:
                click.echo(piece, nl=False)
            return
        path = Path(out) if out else target(folder, format)
        write_text(path, text)
    click.echo(log_safe(f"wrote {path}"))
