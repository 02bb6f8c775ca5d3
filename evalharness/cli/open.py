"""`evalharness open`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from evalharness.errors import ExitCode


@click.command("open")
@click.argument("run", metavar="RUN")
@click.option(
    "--page",
    default="report",
    show_default=True,
    metavar="NAME",
    help="Which page: report, agree, diff, label …",
)
@click.option(
    "--serve", is_flag=True, help="Serve it on this machine only (127.0.0.1, secret address) until Ctrl-C."
)
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening a browser.")
def command(run: str, page: str, serve: bool, no_browser: bool) -> int:
    """Open a page of a run folder in the browser."""
    from evalharness.api.labelling import page_of

    path = page_of(Path(run), page)
    if not serve:
        return _show(path.resolve().as_uri(), no_browser)
    from evalharness.api.serving import serve_page

    try:
        serve_page(path, lambda address: _announce(address, no_browser))
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
    return int(ExitCode.OK)


def _announce(address: str, no_browser: bool) -> None:
    _show(address, no_browser)
    click.echo("Ctrl-C stops the server", err=True)


def _show(address: str, no_browser: bool) -> int:
    """Print the address, and open it unless there is no browser to open it in."""
    click.echo(address)
    if not no_browser and not webbrowser.open(address):
        click.echo("no browser could be opened: open this address yourself", err=True)
    return int(ExitCode.OK)
