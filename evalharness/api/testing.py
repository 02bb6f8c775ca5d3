"""Quality as a test: score dialogues (or a system under test) and assert what its judge says of them."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalharness.analysis.types import ColumnSummary
from evalharness.api.gating import GateJob, run_gate
from evalharness.api.notebook import Run, open_run
from evalharness.api.scoring import RunResult, ScoreJob, run_score
from evalharness.api.settings import judge_settings
from evalharness.core import native
from evalharness.core.dialogue import Dialogue
from evalharness.core.scores import OVERALL, Score
from evalharness.core.text import one_line
from evalharness.data.files import write_text
from evalharness.errors import NotJudgedError, UsageError
from evalharness.gate.types import GateResult, Verdict
from evalharness.report.figures import interval, number

Target = Callable[..., Any]
Dialogues = str | Path | Sequence[Dialogue | Mapping[str, Any]] | Target
_REPLY_LIMIT = 400


@dataclass
class Quality:
    """Scores dialogues and asserts. ``folder`` holds the run folders; ``offline`` answers from the cache alone."""

    folder: Path
    offline: bool = False
    _runs: int = field(default=0, init=False)

    def score(
        self,
        dialogues: Dialogues,
        *,
        rubric: str | None = None,
        judge: str | Sequence[str] = (),
        metrics: Sequence[str] = (),
        scenarios: str | Path | None = None,
        trials: int = 1,
    ) -> RunResult:
        """Score files, dialogues, or a function that replies to ``scenarios``.

        ``judge`` may name one that evalharness.yaml makes of others: the file is found as by ``evalharness score``.
        :class:`NotJudgedError` where any item has no verdict.
        """
        self._runs += 1
        place = self.folder / f"run-{self._runs}"
        place.mkdir(parents=True, exist_ok=True)
        judges = [judge] if isinstance(judge, str) else list(judge)
        settings = judge_settings()
        job = ScoreJob(
            sources=(_source(dialogues, place, scenarios, trials),),
            out=place / "scores",
            metrics=tuple(metrics),
            judges=tuple(judges),
            rubrics=() if rubric is None else (rubric,),
            offline=self.offline,
            composed_judges=settings.judges,
            model_options=settings.models,
            prices=settings.prices,
        )
        result = run_score(job)
        _check_judged(result)
        return result

    def assert_quality(
        self,
        dialogues: Dialogues,
        *,
        rubric: str | None = None,
        judge: str | Sequence[str] = (),
        metrics: Sequence[str] = (),
        min: Mapping[str, float] | float | None = None,  # noqa: A002 - the word of the demand
        max_drop: float | str | None = None,
        baseline: str | Path | None = None,
        scenarios: str | Path | None = None,
        trials: int = 1,
    ) -> RunResult:
        """Assert that means reach ``min`` and that nothing has dropped from ``baseline`` by more than ``max_drop``.

        ``min`` maps criteria to their least mean; a bare number is for the overall, or the only criterion. ``max_drop``
        is a share of the scale (``"5%"``) or a number in its units. AssertionError, with the figures and the worst
        dialogue, for a mean below ``min`` or a gate that fails; a warning where the gate can't tell.
        """
        result = self.score(
            dialogues, rubric=rubric, judge=judge, metrics=metrics, scenarios=scenarios, trials=trials
        )
        run = open_run(result.folder.path)
        missed = [*_missed(result, min)]
        if missed:
            raise AssertionError(_message(run, missed, result.analysis.columns))
        if baseline is not None:
            _check_gate(self._gate(result, Path(baseline), max_drop), run, result)
        return result

    def _gate(self, result: RunResult, baseline: Path, max_drop: float | str | None) -> GateResult:
        policy = None
        if max_drop is not None:
            policy = result.folder.path.parent / "gate.yaml"
            write_text(policy, json.dumps({"max_drop": max_drop}) + "\n")
        return run_gate(GateJob(result.folder.path, baseline, policy)).result


def assert_quality(dialogues: Dialogues, **demands: Any) -> RunResult:
    """:meth:`Quality.assert_quality` in a temporary folder, for use outside pytest."""
    return Quality(Path(tempfile.mkdtemp(prefix="evalharness-"))).assert_quality(dialogues, **demands)


def _source(dialogues: Dialogues, place: Path, scenarios: str | Path | None, trials: int) -> str:
    if isinstance(dialogues, str | Path):
        return str(dialogues)
    if callable(dialogues):
        return _played(dialogues, place, scenarios, trials)
    path = place / "dialogues.jsonl"
    write_text(path, (json.dumps(_row(each)) + "\n" for each in dialogues))
    return str(path)


def _row(dialogue: Dialogue | Mapping[str, Any]) -> Mapping[str, Any]:
    return native.to_json(dialogue) if isinstance(dialogue, Dialogue) else dialogue


def _played(target: Target, place: Path, scenarios: str | Path | None, trials: int) -> str:
    from evalharness.api.playing import RunJob, run_scenarios

    if scenarios is None:
        raise UsageError("a system under test needs scenarios", fix="Pass scenarios='scenarios.yaml'.")
    out = place / "dialogues.jsonl"
    job = RunJob((str(scenarios),), "a function", out, trials=trials, function=target)
    played = run_scenarios(job)
    if not played.complete:
        told = [f"{one.play.name}: {one.cause}: {one.detail}" for one in played.failures[:5]]
        raise NotJudgedError(f"the system under test failed: {'; '.join(map(one_line, told))}")
    return str(out)


def _check_judged(result: RunResult) -> None:
    stopped = [f"{stop.judge}: {stop.fault.detail}" for stop in result.finished.stopped]
    failed = [
        f"{row.column.criterion}: {', '.join(f'{name} {count}' for name, count in row.tally.failed)}"
        for row in result.analysis.columns
        if row.tally.failures and row.column.judged and row.column.criterion != OVERALL
    ]
    if stopped or failed or not result.complete:
        raise NotJudgedError("not judged: " + one_line("; ".join([*stopped, *failed]) or "interrupted", 600))


def _missed(
    result: RunResult, demand: Mapping[str, float] | float | None
) -> Iterable[tuple[ColumnSummary, float]]:
    rows = {row.column.criterion: row for row in result.analysis.columns}
    for name, least in _demands(rows, demand).items():
        if name not in rows:
            raise UsageError(f"there is no criterion {name!r}", fix=f"Known: {', '.join(rows)}.")
        mean = rows[name].mean.value
        if mean is None or mean < least:
            yield rows[name], least


def _demands(
    rows: Mapping[str, ColumnSummary], demand: Mapping[str, float] | float | None
) -> Mapping[str, float]:
    if demand is None:
        return {}
    if isinstance(demand, Mapping):
        return demand
    judged = [name for name, row in rows.items() if row.column.judged and name != OVERALL]
    only = judged or [name for name in rows if name != OVERALL]
    return {only[0] if len(only) == 1 else OVERALL: float(demand)}


def _message(
    run: Run, missed: Sequence[tuple[ColumnSummary, float]], columns: Sequence[ColumnSummary]
) -> str:
    lines = ["dialogue quality is below what is demanded"]
    for row in columns:
        least = next((value for other, value in missed if other.column == row.column), None)
        told = f"  {one_line(row.column.criterion, 40)}: {interval(row.mean)} over {row.tally.scored} items"
        lines.append(told if least is None else f"{told}  < {number(least)} demanded")
    lines += _worst(run, missed[0][0])
    return "\n".join(lines)


def _worst(run: Run, row: ColumnSummary) -> list[str]:
    """The item with the worst value of the criterion: where it is, what was said, and why."""
    found: list[tuple[float, str, int | None, str]] = []
    for item in run.items():
        for outcome in item.outcomes:
            result = outcome.result
            if (
                outcome.column == row.column
                and isinstance(result, Score)
                and not isinstance(result.value, str)
            ):
                found.append((float(result.value), item.dialogue, item.turn, result.rationale or ""))
    if not found:
        return []
    pick = max if row.column.higher_is_better is False else min
    value, name, turn, why = pick(found, key=lambda one: (one[0], one[1]) if pick is min else (one[0], ""))
    dialogue = next(d for d in run.dialogues() if d.id == name)
    shown = dialogue.messages[-1 if turn is None else turn].content
    lines = [f"worst: {one_line(name, 80)}{'' if turn is None else f' turn {turn}'}, {number(value)}"]
    lines.append(f"  assistant: {one_line(shown, _REPLY_LIMIT)}")
    return [*lines, f"  judge: {one_line(why, _REPLY_LIMIT)}"] if why else lines


def _check_gate(result: GateResult, run: Run, scored: RunResult) -> None:
    if result.verdict is Verdict.PASS:
        return
    from evalharness.report.gate.words import first_line

    told = f"{first_line(result)} ({scored.folder.path / 'gate.md'})"
    if result.verdict is Verdict.INCONCLUSIVE:
        warnings.warn(f"the gate can't tell: {told}", stacklevel=4)
        return
    lines = [f"dialogue quality dropped: {told}"]
    worst = next(
        (row for row in scored.analysis.columns if row.column.judged and not row.column.nominal), None
    )
    raise AssertionError("\n".join([*lines, *(_worst(run, worst) if worst is not None else [])]))
