"""`evalharness pairwise`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from evalharness.cli.options import (
    AMOUNT,
    POSITIVE,
    asking_options,
    json_option,
    quiet_option,
    reading,
    reading_options,
    redact_map_option,
    redact_options,
    redaction_of,
    split_commas,
)
from evalharness.errors import ExitCode

_TERM = 15


@click.command("pairwise")
@click.argument("dialogues", nargs=-1, required=True, metavar="A B …")
@click.option("-o", "--out", metavar="DIR", help="Run folder (default: reports/A-against-B).")
@click.option(
    "-j",
    "--judge",
    multiple=True,
    metavar="[NAME=]BACKEND:MODEL[@URL]",
    help="A judge, or a panel of the section judges (repeats).",
)
@click.option(
    "-r", "--rubric", multiple=True, metavar="NAME|FILE", help="A rubric with unit: pair (repeats)."
)
@click.option(
    "--by", default="file", show_default=True, metavar="file|KEY",
    help="What tells the systems apart: the file, or a metadata key such as system.",
)  # fmt: skip
@click.option("--whole", is_flag=True, help="Compare whole dialogues instead of replies.")
@click.option(
    "--listwise", is_flag=True, help="Rank all systems' answers at once (up to 6), forwards and backwards."
)
@reading_options
@redact_options
@redact_map_option
@click.option(
    "--turns", type=click.Choice(["all", "last", "referenced"]), default="all", show_default=True,
    help="Which assistant turns are compared.",
)  # fmt: skip
@click.option(
    "--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Verdicts per order."
)
@click.option("--per-criterion", is_flag=True, help="One request per criterion instead of one for all.")
@asking_options
@click.option(
    "--attempts", type=click.IntRange(min=1), default=5, show_default=True, help="Attempts per request."
)
@click.option(
    "--deadline", type=POSITIVE, default=300.0, show_default=True, help="Seconds per request, with retries."
)
@click.option("--rpm", type=POSITIVE, help="At most this many requests a minute.")
@click.option("--tpm", type=POSITIVE, help="At most this many tokens a minute.")
@click.option("--max-cost", type=AMOUNT, metavar="USD", help="Stop before it costs more.")
@click.option("--skip-bad-lines", is_flag=True, help="Set bad lines aside in rejected.jsonl and count them.")
@click.option("--retry-failed", is_flag=True, help="Ask again about pairs that failed.")
@click.option("--no-cache", is_flag=True, help="Neither use nor fill the verdict cache.")
@click.option("--epoch", default="", help="A name for fresh verdicts that share no cache with other epochs.")
@click.option("--insecure-http", is_flag=True, help="Allow plain http to hosts other than this one.")
@json_option
@quiet_option
@click.option("--log-file", metavar="FILE", help="Write a log (never a secret or a dialogue text).")
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Judge systems against each other on the same scenarios, each pair shown in both orders.

    Dialogues are matched by group (or id), replies by their number. The same command resumes.

    \b
    evalharness pairwise old.jsonl new.jsonl --rubric mt-bench-pair --judge openai:gpt-6-luna
    evalharness pairwise logs.jsonl --by system --rubric mt-bench-pair --judge replay:verdicts.jsonl
    """
    from evalharness.api.pairing import run_pairwise
    from evalharness.cli.logfile import log_to
    from evalharness.cli.progress import watching

    job = make_job(options, context.obj or {})
    with log_to(options["log_file"]), watching(quiet=options["quiet"]) as progress:
        result = run_pairwise(job, progress, sys.stdin.buffer)
    _print(result, as_json=options["json"], quiet=options["quiet"])
    if result.finished.signal is not None:
        return int(ExitCode.TERMINATED if result.finished.signal == _TERM else ExitCode.INTERRUPTED)
    return int(ExitCode.OK if result.finished.complete else ExitCode.INCOMPLETE)


def make_job(options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """The job that the options describe."""
    from evalharness.api.pairing import PairwiseJob
    from evalharness.core.dialogue import TurnChoice
    from evalharness.engine.plan import Limits
    from evalharness.judges.options import JudgeOptions
    from evalharness.llm.client import Sampling

    model_options = {k: v for k, v in settings.get("models", {}).items() if k != "insecure_http"}
    model_options |= {name: options[name] for name in ("api", "insecure_http") if options[name]}
    return PairwiseJob(
        sources=tuple(options["dialogues"]),
        out=Path(options["out"] or _default_out(options["dialogues"])),
        judges=tuple(options["judge"]),
        rubrics=split_commas(options["rubric"]),
        by=options["by"],
        whole=options["whole"],
        listwise=options["listwise"],
        read=reading(options),
        turns=TurnChoice(options["turns"]),
        limits=Limits(
            **{
                name: options[name]
                for name in ("concurrency", "attempts", "deadline", "rpm", "tpm", "max_cost")
            }
        ),
        judge_options=JudgeOptions(
            samples=options["samples"],
            per_criterion=options["per_criterion"],
            max_tokens=options["max_tokens"],
            sampling=Sampling(temperature=options["temperature"], effort=options["effort"]),
        ),
        model_options=model_options,
        composed_judges=settings.get("judges", {}),
        prices=settings.get("prices", {}),
        skip_bad_lines=options["skip_bad_lines"],
        retry_failed=options["retry_failed"],
        use_cache=not options["no_cache"],
        epoch=options["epoch"],
        redaction=redaction_of(options),
    )


def _default_out(sources: tuple[str, ...]) -> str:
    from evalharness.cli.score import default_out

    return "-against-".join([default_out(sources[0]), *(Path(default_out(s)).name for s in sources[1:3])])


def _print(result: Any, *, as_json: bool, quiet: bool) -> None:
    """The figures on stdout, what went wrong on stderr."""
    from evalharness.core.text import log_safe, one_line
    from evalharness.report.pairwise import pairwise_json, pairwise_text

    if as_json:
        click.echo(pairwise_json(result.analysis), nl=False)
    elif not quiet:
        click.echo(pairwise_text(result.analysis))
        click.echo(f"\nreport: {result.folder.path / 'pairwise.md'}")
    for warning in result.warnings:
        click.echo(f"note: {one_line(warning, 300)}", err=True)
    for stop in result.finished.stopped:
        click.echo(
            click.style("stopped: ", fg="yellow") + log_safe(f"{stop.judge}: {stop.fault.detail}"), err=True
        )
    if not result.finished.complete:
        click.echo("the run is incomplete; the same command goes on where it stopped", err=True)
