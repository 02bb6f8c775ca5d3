"""`evalharness score`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from evalharness.cli.batches import batch_options, make_batching
from evalharness.cli.options import (
    AMOUNT,
    POSITIVE,
    json_option,
    quiet_option,
    reading,
    reading_options,
    redact_map_option,
    redact_options,
    redaction_of,
    split_commas,
)
from evalharness.errors import ExitCode, UsageError

_TERM = 15


@click.command("score")
@click.argument("dialogues", nargs=-1, required=True, metavar="DIALOGUES…")
@click.option("-o", "--out", metavar="DIR", help="Run folder (default: reports/NAME of the first file).")
@click.option(
    "-m", "--metric", multiple=True, metavar="M[,M…]", help="bleu, rouge, chrf, ter, surface … (repeats)."
)
@click.option(
    "--check", multiple=True, metavar="CHECK", help="contains:TEXT, regex:RE, tool:NAME … (repeats)."
)
@click.option("-j", "--judge", multiple=True, metavar="[NAME=]BACKEND:MODEL[@URL]", help="A judge (repeats).")
@click.option("-r", "--rubric", multiple=True, metavar="NAME|FILE", help="A rubric (repeats).")
@reading_options
@redact_options
@redact_map_option
@click.option(
    "--turns",
    type=click.Choice(["all", "last", "referenced"]),
    default="all",
    show_default=True,
    help="Which assistant turns are scored.",
)
@click.option(
    "--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Verdicts per item."
)
@click.option("--per-criterion", is_flag=True, help="One request per criterion instead of one for all.")
@click.option("--temperature", type=AMOUNT, help="Where the model takes one.")
@click.option("--effort", help="Reasoning effort, where the model takes one.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer of a judge.")
@click.option("--api", type=click.Choice(["responses", "chat"]), help="Force the OpenAI API flavour.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Requests in flight per judge.",
)
@click.option(
    "--attempts", type=click.IntRange(min=1), default=5, show_default=True, help="Attempts per request."
)
@click.option(
    "--deadline",
    type=POSITIVE,
    default=300.0,
    show_default=True,
    help="Seconds per request, retries included.",
)
@click.option(
    "--attempt-timeout", type=POSITIVE, default=120.0, show_default=True, help="Seconds per attempt."
)
@click.option(
    "--max-wait",
    type=POSITIVE,
    default=120.0,
    show_default=True,
    help="Longest wait that a provider may ask.",
)
@click.option(
    "--rpm",
    type=POSITIVE,
    help="At most this many requests a minute per model.",
)
@click.option("--tpm", type=POSITIVE, help="At most this many tokens a minute per model.")
@click.option(
    "--calibration", metavar="FILE", help="Calibrate the judges' scores with a file that `calibrate` wrote."
)
@click.option("--dry-run", is_flag=True, help="Say what would be sent and cost, by judge; send nothing.")
@click.option("--max-cost", type=AMOUNT, metavar="USD", help="Stop before the run costs more.")
@click.option("--max-failures", metavar="N|N%", help="Stop when more items than this have failed.")
@click.option("--skip-bad-lines", is_flag=True, help="Set bad lines aside in rejected.jsonl and count them.")
@click.option("--update", is_flag=True, help="Follow changed input or settings; keep what is unchanged.")
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Ask again about items that failed, and about missing members of panels.",
)
@click.option("--no-cache", is_flag=True, help="Neither use nor fill the verdict cache.")
@click.option("--epoch", default="", help="A name for fresh verdicts that share no cache with other epochs.")
@click.option(
    "--allow-moved-model", is_flag=True, help="Go on when another model answers under the judge's name."
)
@click.option("--limit", type=click.IntRange(min=1), help="Only the first N dialogues.")
@click.option("--shard", metavar="I/N", help="Only piece I of N, split by group; `runs merge` joins them.")
@batch_options
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where scoring runs: in this process, or on Ray workers.",
)
@click.option(
    "--ray-address", metavar="ADDRESS", help="A running Ray cluster (default: one on this machine)."
)
@click.option(
    "--ray-workers", type=click.IntRange(min=1), help="Worker processes (default: one per processor)."
)
@click.option("--insecure-http", is_flag=True, help="Allow plain http to hosts other than this one.")
@json_option
@quiet_option
@click.option("--log-file", metavar="FILE", help="Write a log (never a secret or a dialogue text).")
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Score dialogues with metrics and judges into a run folder.

    Without --metric and --judge, surface measures run, which need no reference and no key. Running the same command
    again resumes where it stopped and asks again for no verdict it has.

    \b
    evalharness score logs.jsonl --metric bleu,rouge
    evalharness score logs.jsonl --rubric support-reply --judge openai:gpt-6-luna
    evalharness score logs.jsonl --rubric support-reply --judge openai:gpt-6-luna --batch
    """
    from evalharness.api.scoring import run_score
    from evalharness.cli.logfile import log_to
    from evalharness.cli.progress import watching
    from evalharness.cli.summary import print_result

    job = make_job(options, context.obj or {})
    if options["dry_run"]:
        from evalharness.api.scoring import estimate_score
        from evalharness.cli.summary import print_estimate

        print_estimate(estimate_score(job, sys.stdin.buffer), as_json=options["json"])
        return int(ExitCode.OK)
    with log_to(options["log_file"]), watching(quiet=options["quiet"]) as progress:
        result = run_score(job, progress, sys.stdin.buffer)
    print_result(result, as_json=options["json"], quiet=options["quiet"])
    if result.finished.signal is not None:
        return int(ExitCode.TERMINATED if result.finished.signal == _TERM else ExitCode.INTERRUPTED)
    return int(ExitCode.OK if result.complete else ExitCode.INCOMPLETE)


def make_job(options: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """The job that the options describe."""
    from evalharness.api.scoring import ScoreJob
    from evalharness.core.dialogue import TurnChoice
    from evalharness.engine.plan import Limits
    from evalharness.engine.shards import Shard
    from evalharness.judges.options import JudgeOptions
    from evalharness.llm.client import Sampling

    model_options = {k: v for k, v in settings.get("models", {}).items() if k != "insecure_http"}
    for name in ("api", "insecure_http"):
        if options[name]:
            model_options[name] = options[name]
    return ScoreJob(
        sources=tuple(options["dialogues"]),
        out=Path(options["out"] or default_out(options["dialogues"][0])),
        metrics=(*split_commas(options["metric"]), *options["check"]),
        judges=tuple(options["judge"]),
        rubrics=split_commas(options["rubric"]),
        read=reading(options),
        turns=TurnChoice(options["turns"]),
        limits=Limits(
            concurrency=options["concurrency"],
            attempts=options["attempts"],
            deadline=options["deadline"],
            attempt_timeout=options["attempt_timeout"],
            max_wait=options["max_wait"],
            rpm=options["rpm"],
            tpm=options["tpm"],
            max_cost=options["max_cost"],
            max_failures=options["max_failures"],
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
        update=options["update"],
        retry_failed=options["retry_failed"],
        use_cache=not options["no_cache"],
        epoch=options["epoch"],
        allow_moved_model=options["allow_moved_model"],
        limit=options["limit"],
        calibration=None if options["calibration"] is None else Path(options["calibration"]),
        shard=None if options["shard"] is None else Shard.parse(options["shard"]),
        redaction=redaction_of(options),
        batches=make_batching(options),
        cluster=_cluster(options),
    )


def _cluster(options: Mapping[str, Any]) -> Any:
    """The Ray cluster that the options name, None where scoring stays in this process."""
    from evalharness.engine.on_ray import Cluster

    address, workers = options.get("ray_address"), options.get("ray_workers")
    if options.get("engine") == "ray":
        if options.get("batch") or options.get("finish_live"):
            raise UsageError(
                "--batch and --finish-live don't go with --engine ray", fix="Choose one of them."
            )
        return Cluster(address, workers)
    if address or workers:
        raise UsageError("--ray-address and --ray-workers need --engine ray", fix="Add --engine ray.")
    return None


def default_out(first: str) -> str:
    """`reports/` and a plain name made from the first input."""
    stem = Path(first).name.split(".")[0] if first != "-" else "stdin"
    plain = "".join(char if char.isalnum() or char in "-_" else "-" for char in stem).strip("-")
    return f"reports/{plain or 'run'}"
