"""What an audit has judged: drawn dialogues, their changed copies, and the ways of asking."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from evalharness.api.audit_job import AuditJob
from evalharness.api.folder import RunFolder, open_run
from evalharness.api.scoring import ScoreJob
from evalharness.audit.attacks import dialogue_signs
from evalharness.audit.probes import BY_NAME, PROBES, Arm, Chooser, Kind, Probe, last_reply
from evalharness.audit.types import Detector
from evalharness.audit.wordings import check_same_scales, criteria_reversed, reworded
from evalharness.core.canonical import Json, canonical_json
from evalharness.core.dialogue import Dialogue, Item, Unit
from evalharness.core.native import to_json
from evalharness.core.registry import unknown_name
from evalharness.core.rubric import Rubric
from evalharness.core.scores import Result
from evalharness.data.dialogues import Rejected, read_dialogues
from evalharness.data.files import write_text
from evalharness.data.rubrics import find_rubric, load_rubric
from evalharness.data.strictyaml import load_mapping
from evalharness.errors import InputError, RubricError, UsageError
from evalharness.judges.claims import Claims
from evalharness.judges.interface import Judge, Settled
from evalharness.judges.onset import Onset
from evalharness.judges.options import Variant
from evalharness.judges.spec import composed_name, make_judge

ORIGINAL, CHANGED = "original", "changed"
PROBE_KEY, ORIGINAL_KEY = "audit_probe", "audit_of"
_VARIANTS = {Arm.LEVELS: Variant.LEVELS_REVERSED, Arm.UNDEFENDED: Variant.UNDEFENDED}
_ARMS = (Arm.LEVELS, Arm.CRITERIA, Arm.REWORDED, Arm.UNDEFENDED)
_LOOKED_AT = 5
_SAME_ASKING = {
    Arm.LEVELS: "the judge is not shown the levels of a scale in an order",
    Arm.CRITERIA: "the judge is asked about one criterion at a time",
    Arm.REWORDED: "the judge does not read the rubric's words",
    Arm.UNDEFENDED: "the judge's prompt has no fence that could be taken off",
}
_CLAIMS_ASKING = {
    Arm.LEVELS: "claims are asked about in words of their own, without levels",
    Arm.CRITERIA: "the judge asks about claims, not about criteria",
    Arm.REWORDED: "the judge asks about claims and does not read the rubric's words",
    Arm.UNDEFENDED: "a reply is always split into claims with all defences",
}


@dataclass(frozen=True, slots=True)
class Material:
    """What is judged: the drawn dialogues, their changed copies, and what could not be changed, by probe."""

    originals: tuple[Dialogue, ...]
    changed: tuple[Dialogue, ...]
    left_out: tuple[tuple[str, int], ...]
    detector: Detector

    def copies(self, *kinds: Kind) -> tuple[Dialogue, ...]:
        """The changed copies of these kinds of probe."""
        return tuple(d for d in self.changed if BY_NAME[str(d.metadata[PROBE_KEY])].kind in kinds)


def chosen_probes(job: AuditJob) -> tuple[Probe, ...]:
    """The probes that were asked for, or all; :class:`UsageError` for an unknown name."""
    for name in job.probes:
        if name not in BY_NAME:
            raise unknown_name("probe", name, BY_NAME)
    return tuple(BY_NAME[name] for name in job.probes) or PROBES


def source_dialogues(job: AuditJob, stdin: BinaryIO | None) -> Iterator[Dialogue]:
    """The dialogues of a run folder, or of files; a bad line is an error."""
    if len(job.sources) == 1 and RunFolder(Path(job.sources[0])).ledger.exists():
        with open_run(job.sources[0]) as (_, ledger):
            for stored in ledger.sorted_dialogues():
                yield stored.load()
        return
    for row in read_dialogues(job.sources, job.read, stdin=stdin):
        if isinstance(row, Rejected):
            raise InputError([row.problem])
        yield row.dialogue


def material_of(job: AuditJob, dialogues: Iterable[Dialogue], first: frozenset[str]) -> Material:
    """The dialogues that are drawn, those named in ``first`` before all others, and their changed copies."""
    usable = [d for d in dialogues if last_reply(d) is not None]
    if not usable:
        raise InputError(
            "no dialogue has a reply with text", fix="An audit changes replies and compares scores."
        )
    drawn = sorted(usable, key=lambda d: (d.id not in first, Chooser(job.seed, d.id)(1 << 62), d.id))
    drawn = sorted(drawn[: job.size], key=lambda d: d.id)
    replies = [d.messages[turn].content for d in drawn if (turn := last_reply(d)) is not None]
    originals = tuple(_only_last(d) for d in drawn)
    changed: list[Dialogue] = []
    left_out: Counter[str] = Counter()
    probes = chosen_probes(job)
    chosen = {probe.name for probe in probes}
    # by dialogue, so that copies which begin alike are asked next to each other and prefix caches hit
    for dialogue in originals:
        for probe in probes:
            if probe.change is None:
                continue
            other = _changed(probe, dialogue, job.seed, replies)
            if other is None:
                left_out[probe.draws] += probe.kind is not Kind.UNDEFENDED or probe.draws not in chosen
            else:
                changed.append(_copy(other, dialogue, probe))
    return Material(
        originals,
        tuple(changed),
        tuple(sorted((name, n) for name, n in left_out.items() if n)),
        _detector(originals, changed),
    )


def _changed(probe: Probe, dialogue: Dialogue, seed: int, replies: Sequence[str]) -> Dialogue | None:
    turn = last_reply(dialogue)
    assert turn is not None and probe.change is not None
    return probe.change(dialogue, turn, Chooser(seed, dialogue.id, probe.draws), replies)


def _detector(originals: Sequence[Dialogue], changed: Sequence[Dialogue]) -> Detector:
    attacked = [d for d in changed if BY_NAME[str(d.metadata[PROBE_KEY])].kind is Kind.INJECTION]
    found = sum(bool(dialogue_signs(dialogue)) for dialogue in attacked)
    clean = sum(bool(dialogue_signs(dialogue)) for dialogue in originals)
    return Detector(len(attacked), found, len(originals), clean)


def _only_last(dialogue: Dialogue) -> Dialogue:
    """The dialogue with its last reply as the only one to be scored."""
    last = last_reply(dialogue)
    messages = tuple(
        replace(m, given=m.role == "assistant" and index != last) for index, m in enumerate(dialogue.messages)
    )
    return replace(dialogue, messages=messages, group=dialogue.cluster)


def _copy(changed: Dialogue, original: Dialogue, probe: Probe) -> Dialogue:
    return replace(
        changed,
        id=f"{probe.name}/{original.id}",
        group=original.cluster,
        metadata={**original.metadata, PROBE_KEY: probe.name, ORIGINAL_KEY: original.id},
    )


@dataclass(frozen=True, slots=True)
class Part:
    """One run of an audit: a way of asking about some dialogues."""

    name: str
    arm: Arm
    job: ScoreJob


def parts_of(
    job: AuditJob, rubric: Rubric, folder: Path, material: Material, epoch: str
) -> tuple[tuple[Part, ...], tuple[tuple[str, str], ...]]:
    """The runs of an audit, and the probes that say nothing about this judge, with the reason.

    Dialogues and changed rubrics are written into ``folder``.
    """
    usual = make_judge(job.judge, rubric, job.judge_options, job.model_options, job.composed_judges)
    _check_auditable(usual)
    chosen = chosen_probes(job)
    parts = [_part(job, folder, ORIGINAL, Arm.USUAL, material.originals, epoch, samples=job.samples)]
    changed = material.copies(Kind.BIAS, Kind.SENSITIVITY, Kind.INJECTION)
    if changed:
        parts.append(_part(job, folder, CHANGED, Arm.USUAL, changed, epoch))
    missing: list[tuple[str, str]] = []
    for arm in _ARMS:
        probes = [probe for probe in chosen if probe.arm is arm]
        if not probes:
            continue
        dialogues = (
            (*material.originals, *material.copies(Kind.UNDEFENDED))
            if arm is Arm.UNDEFENDED
            else material.originals
        )
        part = _part(job, folder, arm.value, arm, dialogues, epoch)
        if _asks_alike(usual, _judge_of(job, part), material.originals):
            missing += [(probe.name, _asked_alike(usual, arm)) for probe in probes]
        else:
            parts.append(part)
    return tuple(parts), tuple(missing)


def _asked_alike(judge: Judge, arm: Arm) -> str:
    """Why a change of the asking leaves this judge's requests as they were."""
    return (_CLAIMS_ASKING if isinstance(judge, Claims) else _SAME_ASKING)[arm]


def _check_auditable(judge: Judge) -> None:
    """A judge whose answers changed copies can't move alone, or don't shift, is a :class:`UsageError`."""
    if isinstance(judge, Onset):
        raise UsageError(
            f"{judge.name} gives the number of a reply, which changed replies can't shift",
            fix=f"Audit the judge that it asks: --judge {judge.turns.name}.",
        )
    if isinstance(judge, Settled) and judge.needs_all_items:
        raise UsageError(
            f"{judge.name} weighs its members by all items of a run, which changed copies would change",
            fix="Audit it with combine: mean, median or majority, or each member by itself.",
        )


def _part(
    job: AuditJob,
    folder: Path,
    name: str,
    arm: Arm,
    dialogues: Sequence[Dialogue],
    epoch: str,
    *,
    samples: int = 1,
) -> Part:
    path = folder / f"{name}.jsonl"
    write_text(path, (canonical_json(to_json(dialogue)) + "\n" for dialogue in dialogues))
    variant = _VARIANTS.get(arm, Variant.NONE)
    judge, composed = _asked_again(job, samples)
    score = ScoreJob(
        sources=(str(path),),
        out=folder / name,
        judges=(judge,),
        rubrics=(_rubric_of(job, folder, arm),),
        limits=job.limits,
        judge_options=replace(
            job.judge_options, samples=samples if composed is job.composed_judges else 1, variant=variant
        ),
        model_options=job.model_options,
        composed_judges=composed,
        prices=job.prices,
        epoch=epoch,
    )
    return Part(name, arm, score)


def _asked_again(job: AuditJob, samples: int) -> tuple[str, Mapping[str, Json]]:
    """The judge that is asked ``samples`` times about an item, and the definitions that it is made by.

    A judge made of judges is repeated as a whole: samples of its parts would change what it is (a cascade's cheap
    judge would be surer), and members' verdicts are no repetitions.
    """
    alias, name = composed_name(job.judge)
    if samples == 1 or name not in job.composed_judges:
        return job.judge, job.composed_judges
    again = "again"
    while again in job.composed_judges:
        again += "-"
    repeated: Json = {"repeat": name, "times": samples}
    return f"{alias or name}={again}", {**job.composed_judges, again: repeated}


def _rubric_of(job: AuditJob, folder: Path, arm: Arm) -> str:
    """The rubric that is asked in this way: its file, written where it is a changed one."""
    if arm is Arm.REWORDED and job.paraphrase is not None:
        check_same_scales(load_rubric(job.rubric), load_rubric(job.paraphrase))
        return job.paraphrase
    change = {Arm.CRITERIA: criteria_reversed, Arm.REWORDED: reworded}.get(arm)
    if change is None:
        return job.rubric
    path = folder / f"rubric-{arm.value}.json"
    document = load_mapping(find_rubric(job.rubric), RubricError)
    write_text(path, json.dumps(change(document), indent=1, ensure_ascii=False) + "\n")
    return str(path)


def _judge_of(job: AuditJob, part: Part) -> Judge:
    options = replace(part.job.judge_options, samples=1)
    return make_judge(
        job.judge, load_rubric(part.job.rubrics[0]), options, job.model_options, job.composed_judges
    )


def _asks_alike(usual: Judge, other: Judge, dialogues: Sequence[Dialogue]) -> bool:
    """Whether a change of the asking leaves every request as it was, so that it can show nothing.

    A judge that can't say beforehand what it would send (a recording, a fitted one) reads no prompt.
    """
    first, second = getattr(usual, "requests", None), getattr(other, "requests", None)
    if first is None or second is None:
        return True
    return all(_asked(first, item) == _asked(second, item) for item in _items(usual, dialogues))


def _items(judge: Judge, dialogues: Sequence[Dialogue]) -> Iterator[Item]:
    for dialogue in dialogues[:_LOOKED_AT]:
        yield Item(dialogue) if judge.unit is Unit.DIALOGUE else Item(dialogue, last_reply(dialogue))


def _asked(planner: object, item: Item) -> set[str]:
    assert callable(planner)
    return {planned.request.content_hash() for planned in planner(item, b"audit")}


def copies_by_original(
    changed: Sequence[Dialogue], results: Mapping[str, Sequence[Result]]
) -> dict[str, dict[str, Sequence[Result]]]:
    """The results of changed copies, by the dialogue that they were made from and the probe."""
    found: dict[str, dict[str, Sequence[Result]]] = {}
    for dialogue in changed:
        if dialogue.id in results:
            probe = str(dialogue.metadata[PROBE_KEY])
            found.setdefault(str(dialogue.metadata[ORIGINAL_KEY]), {})[probe] = results[dialogue.id]
    return found
