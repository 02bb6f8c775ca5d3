"""`evalharness audit`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from evalharness.cli.options import (
    AMOUNT,
    POSITIVE,
    Finite,
    asking_options,
    json_option,
    quiet_option,
    reading_options,
    split_commas,
)
from evalharness.errors import ExitCode

_TERM = 15
_FREE = ("local", "fitted", "replay")


@click.command("audit")
@click.argument("dialogues", nargs=-1, required=True, metavar="RUN|DIALOGUES…")
@click.option(
    "-j",
    "--judge",
    required=True,
    metavar="[NAME=]BACKEND:MODEL[@URL]",
    help="The judge to audit, or the name of one of the section judges.",
)
@click.option("-r", "--rubric", required=True, metavar="NAME|FILE", help="The rubric it answers.")
@click.option(
    "-o", "--out", metavar="DIR",
    help="Where the audit goes (default: RUN/audit, so that the run's report shows it; else reports/audit-NAME).",
)  # fmt: skip
@click.option("--probe", multiple=True, metavar="NAME[,NAME…]", help="Only these probes (default: all).")
@click.option(
    "--size", type=click.IntRange(min=2), default=40, show_default=True,
    help="How many dialogues (scenarios, with a rubric that compares pairs).",
)  # fmt: skip
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
@click.option(
    "-l", "--labels", multiple=True, metavar="FILE", help="People's labels, to hold the judge against."
)
@click.option("--raters", multiple=True, metavar="GLOB", help="Only these raters, e.g. 'expert_*'.")
@click.option(
    "--label-map", multiple=True, metavar="RUBRIC=LABEL",
    help="The label criterion that belongs to a rubric's criterion (default: the same name).",
)  # fmt: skip
@click.option(
    "--scale", multiple=True, metavar="RUBRIC=LABELS",
    help="Labels on another scale: 0..2=1..5, or CRITERION=1..5.",
)  # fmt: skip
@click.option(
    "--own", metavar="SYSTEM", help="The system that is the judge's own model: for self-preference."
)
@click.option("--since", metavar="AUDIT", help="An earlier audit of the same dialogues: for drift.")
@click.option("--paraphrase", metavar="FILE", help="The rubric in your own other words (default: ours).")
@click.option(
    "--by", default="file", show_default=True, metavar="file|KEY",
    help="With a rubric that compares pairs: what tells the systems apart.",
)  # fmt: skip
@click.option("--whole", is_flag=True, help="With a rubric that compares pairs: whole dialogues.")
@reading_options
@asking_options
@click.option("--rpm", type=POSITIVE, help="At most this many requests a minute.")
@click.option("--max-cost", type=AMOUNT, metavar="USD", help="Stop before it costs more.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent and cost; send nothing.")
@click.option("--yes", is_flag=True, help="Don't ask on a terminal whether the cost is all right.")
@click.option("--insecure-http", is_flag=True, help="Allow plain http to hosts other than this one.")
@json_option
@quiet_option
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Measure what moves a judge that should not, what it fails to see, and how far attacks get.

    Known changes are made to the last reply of your own dialogues, and to how the judge is asked; all is judged afresh,
    and the differences get intervals. With --labels the judge is held against people; a rubric that compares pairs is
    audited for the place, length and author of a reply. The cost is that of about 26 verdicts a dialogue and is said
    first.

    \b
    evalharness audit reports/logs --judge openai:gpt-6-luna --rubric support-reply --dry-run
    evalharness audit logs.jsonl --judge local:smollm2 --rubric support-reply --labels labels.csv
    evalharness audit old.jsonl new.jsonl --judge openai:gpt-6-luna --rubric mt-bench-pair
    """
    job = make_job(options, context.obj or {})
    if options["dry_run"]:
        _print_estimate(job, as_json=options["json"])
        return int(ExitCode.OK)
    from evalharness.api.auditing import run_audit
    from evalharness.cli.progress import watching
    from evalharness.report.audit.document import audit_json
    from evalharness.report.audit.text import audit_text

    _quote(job, ask=not options["yes"], quiet=options["quiet"])
    with watching(quiet=options["quiet"]) as progress:
        result = run_audit(job, progress, sys.stdin.buffer)
    if options["json"]:
        click.echo(audit_json(result.audit), nl=False)
    elif not options["quiet"]:
        click.echo(audit_text(result.audit))
        click.echo(f"\njudge card: {result.folder / 'judge-card.html'}")
    return _exit_code(result)


def _exit_code(result: Any) -> int:
    if result.signal is not None:
        return int(ExitCode.TERMINATED if result.signal == _TERM else ExitCode.INTERRUPTED)
    if not result.complete:
        click.echo("the audit is incomplete; the same command goes on where it stopped", err=True)
        return int(ExitCode.INCOMPLETE)
    return int(ExitCode.OK)


def _print_estimate(job: Any, *, as_json: bool) -> None:
    from evalharness.cli.summary import print_estimate

    print_estimate(_estimates(job), as_json=as_json)


def _estimates(job: Any) -> Sequence[Any]:
    from evalharness.api.auditing import estimate_audit

    with tempfile.TemporaryDirectory(prefix="evalharness-") as scratch:
        return estimate_audit(job, Path(scratch), sys.stdin.buffer)


def _quote(job: Any, *, ask: bool, quiet: bool) -> None:
    """Say on stderr what the audit will send and cost; on a terminal, ask whether that is all right.

    Dialogues from standard input can be read once, and a judge on this machine costs nothing: no quote for them.
    """
    from evalharness.judges.spec import composed_name, parse_spec

    composed = composed_name(job.judge)[1] in job.composed_judges
    if quiet or "-" in job.sources or (not composed and parse_spec(job.judge).backend in _FREE):
        return
    rows = _estimates(job)
    requests = sum(row.requests for row in rows)
    if not requests:
        return
    costs = [(row.typical_cost, row.most_cost) for row in rows]
    usual, most = (None if None in side else sum(side) for side in zip(*costs, strict=True))
    price = "unpriced" if usual is None or most is None else f"${usual:,.4f} usual, at most ${most:,.4f}"
    click.echo(f"to send: {requests:,} requests in {len(rows)} runs, {price}", err=True)
    if ask and usual != 0.0 and sys.stdin.isatty() and sys.stderr.isatty():
        click.confirm("Go on?", abort=True, err=True)


def make_job(options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """The job that the options describe."""
    from evalharness.api.audit_job import AuditJob
    from evalharness.cli.options import pairs
    from evalharness.data.dialogues import ReadOptions
    from evalharness.engine.plan import Limits
    from evalharness.judges.options import JudgeOptions
    from evalharness.llm.client import Sampling

    model_options = {k: v for k, v in settings.get("models", {}).items() if k != "insecure_http"}
    model_options |= {name: options[name] for name in ("api", "insecure_http") if options[name]}
    return AuditJob(
        sources=tuple(options["dialogues"]),
        out=Path(options["out"] or _default_out(options["dialogues"][0])),
        judge=options["judge"],
        rubric=options["rubric"],
        probes=split_commas(options["probe"]),
        size=options["size"],
        seed=options["seed"],
        margin=options["margin"],
        samples=options["samples"],
        people=_people(options),
        own=options["own"],
        since=Path(options["since"]) if options["since"] else None,
        paraphrase=options["paraphrase"],
        by=options["by"],
        whole=options["whole"],
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
        composed_judges=settings.get("judges", {}),
        prices=settings.get("prices", {}),
    )


def _people(options: Mapping[str, Any]) -> Any:
    """Whom the judge is held against."""
    from evalharness.analysis.agreement.contest import AgreeOptions
    from evalharness.analysis.agreement.joining import JoinOptions
    from evalharness.analysis.agreement.scales import parse_scales
    from evalharness.api.audit_job import People
    from evalharness.cli.options import pairs

    return People(
        labels=tuple(options["labels"]),
        join=JoinOptions(raters=split_commas(options["raters"])),
        options=AgreeOptions(
            map=pairs("label-map", options["label_map"]), scales=parse_scales(options["scale"])
        ),
    )


def _default_out(first: str) -> Path:
    """Within the run that is the source, else beside the runs."""
    from evalharness.cli.score import default_out

    if (Path(first) / "run.sqlite").exists():
        return Path(first) / "audit"
    named = Path(default_out(first))
    return named.with_name(f"audit-{named.name}")
