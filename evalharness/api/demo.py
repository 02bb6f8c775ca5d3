"""The demo: the main job on a part of the sample data, small enough for a toy judge on two processor cores."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from evalharness.api.scoring import ScoreJob
from evalharness.core.dialogue import TurnChoice
from evalharness.data.builtin import builtin_folder
from evalharness.engine.plan import Limits
from evalharness.errors import MissingDependencyError, StorageError
from evalharness.llm.local_models import install, installed_path

MODEL = "smollm2"
RUBRIC = "support-reply"
METRICS = ("bleu", "chrf", "rouge")


def demo_job(out: Path, *, judge: bool) -> ScoreJob:
    """The job of the demo: eight sample dialogues and their degraded twins, judged on their last replies."""
    data = builtin_folder("datasets") / "demo.jsonl"
    return ScoreJob(
        sources=(str(data),),
        out=out,
        metrics=METRICS,
        judges=(f"local:{MODEL}",) if judge else (),
        rubrics=(RUBRIC,) if judge else (),
        turns=TurnChoice.LAST,
        limits=Limits(concurrency=2),
        update=True,
    )


def prepare_judge(tell: Callable[[str], None]) -> str | None:
    """Make sure that the local judge can run; returns why it can't, if so."""
    if find_spec("xllamacpp") is None:
        return "the local judge is not installed (pip install 'evalharness[local]'): metrics only"
    if installed_path(MODEL) is not None:
        return None
    tell(f"getting the local model {MODEL} (94 MB, once) …")
    try:
        install(MODEL)
    except (MissingDependencyError, StorageError) as error:
        return f"no local judge, metrics only: {error}"
    return None
