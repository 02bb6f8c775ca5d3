"""`evalharness doctor`."""

from __future__ import annotations

import json as json_module

import click

from evalharness.cli.options import json_option
from evalharness.core.text import log_safe
from evalharness.errors import ExitCode

_MARKS = {"ok": click.style("ok  ", fg="green"), "note": click.style("note", fg="yellow"),
          "bad": click.style("BAD ", fg="red")}  # fmt: skip


@click.command("doctor")
@json_option
def command(json: bool) -> int:
    """Check this machine: versions, keys (never shown), models, folders, and model retirements that are known.

    Exit code 2 when something is broken; things that are merely absent are notes.
    """
    from evalharness.api.doctor import examine

    findings = examine()
    if json:
        rows = [{"state": f.state, "what": f.what, "detail": f.detail, "advice": f.advice} for f in findings]
        click.echo(json_module.dumps(rows, indent=1))
    else:
        for finding in findings:
            advice = f"  → {finding.advice}" if finding.advice else ""
            click.echo(f"{_MARKS[finding.state]}  {log_safe(f'{finding.what}: {finding.detail}{advice}')}")
    return int(ExitCode.USAGE if any(finding.state == "bad" for finding in findings) else ExitCode.OK)
