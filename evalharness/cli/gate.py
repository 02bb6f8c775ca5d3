"""`evalharness gate`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from evalharness.cli.options import json_option, quiet_option
from evalharness.errors import ExitCode, UsageError

_TERM = 15


@click.command("gate")
@click.argument("run", required=False, metavar="RUN")
@click.option("-b", "--baseline", metavar="RUN0|FILE", help="An earlier run folder, or a baseline file.")
@click.option(
    "-p", "--policy", metavar="FILE", help="Tolerated drops, floors and slices (default: see docs/gate.md)."
)
@click.option("-o", "--out", metavar="DIR", help="Where gate.json, gate.md and gate.xml go (default: RUN).")
@click.option(
    "-l", "--labels", multiple=True, metavar="FILE", help="Human labels: compare debiased means (repeats)."
)
@click.option(
    "--calibration", multiple=True, metavar="FILE", help="What `calibrate` wrote: compare calibrated scores."
)
@click.option("--power", is_flag=True, help="Say how many scenarios a tolerated drop needs; decides nothing.")
@click.option("--max-drop", metavar="SIZE", help="For --power: the tolerated drop, like 5% or 0.2.")
@click.option(
    "--sequential",
    is_flag=True,
    help="Look at one pair of versions while dialogues arrive, as often as you like.",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="For --sequential: traffic is split, and a dialogue goes to RUN with this chance.",
)
@click.option(
    "--order", metavar="metadata.NAME", help="For --share: the metadata that holds the time of arrival."
)
@click.option("--offline", is_flag=True, help="Ask no model: fresh verdicts come from earlier ones alone.")
@click.option("--dry-run", is_flag=True, help="Say what fresh verdicts would be asked for; decide nothing.")
@click.option(
    "--max-cost", type=click.FloatRange(min=0), metavar="USD", help="Stop asking before it costs more."
)
@click.option("--insecure-http", is_flag=True, help="Allow plain http to hosts other than this one.")
@json_option
@quiet_option
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Compare a run with its baseline: pass (0), fail (1), or not decidable (4).

    A policy may want failures confirmed: then the run's own judge, or one that it names, is asked about them first.

    \b
    evalharness gate reports/new --baseline reports/old
    evalharness gate reports/new --baseline baseline.json --policy gate.yaml
    evalharness gate --power --baseline reports/old --max-drop 5%
    evalharness gate reports/canary --baseline reports/stable --sequential
    """
    if options["power"]:
        return _plan(options)
    if options["run"] is None or not options["baseline"]:
        raise click.UsageError("RUN and --baseline are needed.", context)
    if options["sequential"]:
        return _watch(options)
    from evalharness.api.gating import GateJob, github_output, run_gate
    from evalharness.cli.progress import watching

    with watching(quiet=options["quiet"]) as progress:
        job = GateJob(
            run=Path(options["run"]),
            baseline=Path(options["baseline"]),
            policy=Path(options["policy"]) if options["policy"] else None,
            out=Path(options["out"]) if options["out"] else None,
            terms=make_terms(options, context.obj or {}, progress),
            labels=tuple(options["labels"]),
            calibrations=tuple(Path(name) for name in options["calibration"]),
        )
        outcome = run_gate(job)
    if options["dry_run"]:
        click.echo("nothing was sent and nothing decided", err=True)
        return int(ExitCode.OK)
    _print(outcome, options)
    for line in github_output(outcome.result, job.run):
        click.echo(line, err=True)
    if outcome.signal is not None:
        return int(ExitCode.TERMINATED if outcome.signal == _TERM else ExitCode.INTERRUPTED)
    return int(outcome.result.exit_code)


def _watch(options: Mapping[str, Any]) -> int:
    from evalharness.api.watching import WatchJob, run_watch
    from evalharness.gate.types import Verdict
    from evalharness.gate.watching import Traffic
    from evalharness.report.gate.sequential import sequential_json, sequential_text

    if (options["share"] is None) != (options["order"] is None):
        raise UsageError("--share and --order belong together", fix="--share 0.1 --order metadata.time")
    order = (options["order"] or "").removeprefix("metadata.")
    job = WatchJob(
        run=Path(options["run"]),
        baseline=Path(options["baseline"]),
        policy=Path(options["policy"]) if options["policy"] else None,
        out=Path(options["out"]) if options["out"] else None,
        traffic=Traffic(options["share"], order),
    )
    result, path = run_watch(job)
    if options["json"]:
        click.echo(sequential_json(result), nl=False)
    elif not options["quiet"]:
        click.echo(sequential_text(result))
        click.echo(f"\nwritten: {path}")
    codes = {Verdict.PASS: ExitCode.OK, Verdict.FAIL: ExitCode.REGRESSION}
    return int(codes.get(result.verdict, ExitCode.INCONCLUSIVE))


def make_terms(options: Mapping[str, Any], settings: Mapping[str, Any], progress: Any) -> Any:
    """How fresh verdicts are asked for; what they would send is told on stderr first."""
    from evalharness.api.rejudging import Terms
    from evalharness.cli.summary import quote_line
    from evalharness.engine.plan import Limits

    def quote(estimates: Sequence[Any]) -> None:
        for row in estimates if options["dry_run"] or not options["quiet"] else ():
            click.echo(quote_line(row), err=True)

    models = {k: v for k, v in settings.get("models", {}).items() if k != "insecure_http"}
    return Terms(
        offline=options["offline"],
        dry=options["dry_run"],
        limits=Limits(max_cost=options["max_cost"]),
        models={**models, **({"insecure_http": True} if options["insecure_http"] else {})},
        composed=settings.get("judges", {}),
        prices=settings.get("prices", {}),
        quote=quote,
        progress=progress,
    )


def _print(outcome: Any, options: Mapping[str, Any]) -> None:
    from evalharness.gate.types import Verdict
    from evalharness.report.gate.console import gate_text
    from evalharness.report.gate.document import gate_json

    result = outcome.result
    if options["json"]:
        click.echo(gate_json(result, outcome.fingerprint), nl=False)
    elif not options["quiet"]:
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        width = shutil.get_terminal_size((100, 24)).columns
        text = gate_text(result, width, color=color, age=age_of(result.baseline_created))
        click.echo("\n".join(line.rstrip() for line in text.split("\n")))
        if outcome.cost != 0.0:
            cost = "unpriced" if outcome.cost is None else f"${outcome.cost:,.4f}"
            click.echo(f"fresh verdicts cost {cost}")
        click.echo(f"\nwritten: {', '.join(str(path) for path in outcome.written)}")
    if result.verdict is Verdict.INCONCLUSIVE and result.exit_code == ExitCode.OK:
        click.echo("WARNING: the gate could not decide; on_inconclusive: warn lets it through", err=True)


def age_of(created: str) -> str:
    """How long ago an ISO time in UTC was, in words; empty where it can't be read."""
    try:
        then = datetime.fromisoformat(created)
    except ValueError:
        return ""
    if then.tzinfo is None:
        return ""
    days = (datetime.now(UTC) - then).days
    return "less than a day" if days < 1 else "1 day" if days == 1 else f"{days} days"


def _plan(options: Mapping[str, Any]) -> int:
    import json
    from dataclasses import asdict

    from evalharness.api.gating import plan
    from evalharness.report.gate.console import plan_text

    named = options["baseline"] or options["run"]
    plans = plan(
        Path(named) if named else None,
        Path(options["policy"]) if options["policy"] else None,
        _amount(options["max_drop"]),
    )
    if options["json"]:
        click.echo(json.dumps([asdict(row) for row in plans], indent=1))
    else:
        click.echo(plan_text(plans, shutil.get_terminal_size((100, 24)).columns))
        click.echo("\n80 % of unchanged systems pass with so many; correlation: of both runs over scenarios")
    return int(ExitCode.OK)


def _amount(text: str | None) -> Any:
    from evalharness.data.policies import parse_amount

    if text is None:
        return None
    found = parse_amount(text)
    if found is None or found.value <= 0:
        raise UsageError(
            f"--max-drop {text!r} is no size", fix="Write a share of the scale like 5%, or a number."
        )
    return found
