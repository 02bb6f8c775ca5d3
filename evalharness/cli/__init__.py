"""The command line: the only importer of click. Commands are loaded when they are called."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from evalharness.cli.lazy import LazyGroup
from evalharness.cli.outcome import guarded

COMMANDS = {
    "run": ("evalharness.cli.run", "Play scripted users against a system under test."),
    "score": ("evalharness.cli.score", "Score dialogues with metrics and judges into a run folder."),
    "agree": ("evalharness.cli.agree", "Compare judges and metrics with human labels."),
    "calibrate": ("evalharness.cli.calibrate", "Carry a judge's scores to the human scale."),
    "fit": ("evalharness.cli.fit", "Learn a judge from labels."),
    "gate": ("evalharness.cli.gate", "Pass, fail or say undecided: a run against its baseline."),
    "baseline": ("evalharness.cli.baseline", "Save, show and promote baselines for the gate."),
    "audit": ("evalharness.cli.audit", "Measure a judge's biases, noise and blind spots on your dialogues."),
    "pairwise": (
        "evalharness.cli.pairwise",
        "Judge systems against each other, both orders, with a ranking.",
    ),
    "cascade": ("evalharness.cli.cascade", "Plan a cascade of a cheap and a dear judge from labels."),
    "trials": ("evalharness.cli.trials", "Show how reliably tasks are done over trials: pass^k."),
    "diff": ("evalharness.cli.diff", "Show what changed between two runs, conversations side by side."),
    "trend": ("evalharness.cli.trend", "Show quality over many runs, and where the instrument changed."),
    "label": ("evalharness.cli.label", "Write an offline page for people to label a sample of a run in."),
    "open": ("evalharness.cli.open", "Open a run's report, or another page of it, in the browser."),
    "report": ("evalharness.cli.report", "Render a run's report again, in any format."),
    "data": ("evalharness.cli.data", "Check, convert and sample dialogue files."),
    "rubric": ("evalharness.cli.rubric", "Check, show and start rubric files."),
    "judges": ("evalharness.cli.judges", "List, test and install judges."),
    "runs": ("evalharness.cli.runs", "List, show, merge and remove run folders."),
    "cache": ("evalharness.cli.cache", "Show and clear the verdict cache."),
    "init": ("evalharness.cli.init", "Start a project: config and a first rubric."),
    "doctor": ("evalharness.cli.doctor", "Check this machine: versions, keys, models, folders."),
    "demo": ("evalharness.cli.demo", "Score the sample dialogues with the local judge."),
}

CONTEXT = {
    "help_option_names": ["-h", "--help"],
    "auto_envvar_prefix": "EVALHARNESS",
    "max_content_width": 100,
}


@click.group(cls=LazyGroup, lazy=COMMANDS, context_settings=CONTEXT)
@click.version_option(package_name="evalharness", prog_name="evalharness")
@click.option(
    "--config",
    metavar="FILE",
    help="Settings file (default: evalharness.yaml here, if there is one).",
)
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Score dialogues, measure judges against humans, gate CI on quality.

    Start with `evalharness demo`, then `evalharness score LOGS.jsonl`.
    """
    from evalharness.cli.config import apply_config

    apply_config(context, config)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit with its exit code."""
    sys.exit(guarded(cli, arguments))
