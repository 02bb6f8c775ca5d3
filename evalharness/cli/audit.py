"""`evalharness audit`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from evalharness.cli.options import (
    AMOUNT,
    POSITIVE,
    Finite,
    json_option,
    quiet_option,
    reading_options,
    split_commas,
)
from evalharness.errors import ExitCode

_TERM = 15


@click.command("audit")
@click.argument("dialogues", nargs=-1, required=True, metavar="RUN|DIALOGUES…")
@click.option(
    "-j", "--judge", required=True, metavar="[NAME=]BACKEND:MODEL[@URL]", help="The judge to audit."
)
@click.option("-r", "--rubric", required=True, metavar="NAME|FILE", help="The rubric it answers.")
@click.option("-o", "--out", metavar="DIR", help="Where the audit goes (default: reports/audit-NAME).")
@click.option("--probe", multiple=True, metavar="NAME[,NAME…]", help="Only these probes (default: all).")
@click.option("--size", type=click.IntRange(min=2), default=40, show_default=True, help="How many dialogues.")
@click.option(
    "--seed", type=int, default=0, show_default=True, help="The same seed draws the same dialogues."
)
@click.option(
    "--margin", type=Finite(0, 1, max_open=True), default=0.05, show_default=True,
    help="Tolerated shift, as a share of a scale's range.",
)  # fmt: skip
@click.option(
    "--samples", type=click.IntRange(1, 20), default=2, show_default=True,
    help="How often each original is asked, for the judge's own noise.",
)  # fmt: skip
@reading_options
@click.option("--temperature", type=AMOUNT, help="Where the model takes one.")
@click.option("--effort", help="Reasoning effort, where the model takes one.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer of the judge.")
@click.option("--api", type=click.Choice(["responses", "chat"]), help="Force the OpenAI API flavour.")
@click.option(
    "--concurrency", type=click.IntRange(min=1), default=16, show_default=True, help="Requests in flight."
)
@click.option("--rpm", type=POSITIVE, help="At most this many requests a minute.")
@click.option("--max-cost", type=AMOUNT, metavar="USD", help="Stop before a run costs more.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent and cost; send nothing.")
@click.option("--insecure-http", is_flag=True, help="Allow plain http to hosts other than this one.")
@json_option
@quiet_option
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Measure what moves a judge that should not, what it fails to see, and how far attacks get.

    Known changes are made to the last reply of your own dialogues; originals and changed copies are judged afresh, and
    the differences get intervals. The cost is that of about 18 verdicts a dialogue: see --dry-run.

    \b
    evalharness audit reports/logs --judge openai:gpt-6-luna --rubric support-reply --dry-run
    evalharness audit logs.jsonl --judge local:smollm2 --rubric support-reply --size 20
    """
    job = make_job(options, context.obj or {})
    if options["dry_run"]:
        return _estimate(job, as_json=options["json"])
    from evalharness.api.auditing import run_audit
    from evalharness.cli.progress import watching
    from evalharness.report.audit import audit_json, audit_text

    with watching(quiet=options["quiet"]) as progress:
        result = run_audit(job, progress, sys.stdin.buffer)
    if options["json"]:
        click.echo(audit_json(result.audit), nl=False)
    elif not options["quiet"]:
        click.echo(audit_text(result.audit))
        click.echo(f"\njudge card: {result.folder / 'judge-card.md'}")
    return _exit_code(result)


def _exit_code(result: Any) -> int:
    signal = next((run.finished.signal for run in result.runs if run.finished.signal is not None), None)
    if signal is not None:
        return int(ExitCode.TERMINATED if signal == _TERM else ExitCode.INTERRUPTED)
    if not result.complete:
        click.echo("the audit is incomplete; the same command goes on where it stopped", err=True)
        return int(ExitCode.INCOMPLETE)
    return int(ExitCode.OK)


def _estimate(job: Any, *, as_json: bool) -> int:
    from evalharness.api.auditing import estimate_audit
    from evalharness.cli.summary import print_estimate

    with tempfile.TemporaryDirectory(prefix="evalharness-") as scratch:
        print_estimate(estimate_audit(job, Path(scratch), sys.stdin.buffer), as_json=as_json)
    return int(ExitCode.OK)


def make_job(options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """The job that the options describe."""
    from evalharness.api.auditing import AuditJob
    from evalharness.cli.options import pairs
    from evalharness.cli.score import default_out
    from evalharness.data.dialogues import ReadOptions
    from evalharness.engine.plan import Limits
    from evalharness.judges.options import JudgeOptions
    from evalharness.llm.client import Sampling

    model_options = {k: v for k, v in settings.get("models", {}).items() if k != "insecure_http"}
    model_options |= {name: options[name] for name in ("api", "insecure_http") if options[name]}
    named = Path(default_out(options["dialogues"][0]))
    return AuditJob(
        sources=tuple(options["dialogues"]),
        out=Path(options["out"] or named.with_name(f"audit-{named.name}")),
        judge=options["judge"],
        rubric=options["rubric"],
        probes=split_commas(options["probe"]),
        size=options["size"],
        seed=options["seed"],
        margin=options["margin"],
        samples=options["samples"],
        read=ReadOptions(
            format=options["format"],
            map=pairs("map", options["map"]),
            set=pairs("set", options["set"]),
            references=options["references"],
            max_line_bytes=options["max_line_bytes"],
        ),
        limits=Limits(**{name: options[name] for name in ("concurrency", "rpm", "max_cost")}),
        judge_options=JudgeOptions(
            max_tokens=options["max_tokens"],
            sampling=Sampling(temperature=options["temperature"], effort=options["effort"]),
        ),
        model_options=model_options,
        prices=settings.get("prices", {}),
    )
