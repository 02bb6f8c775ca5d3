"""The columns that a judge fills for a rubric, and what stands in their signatures; the same for all protocols."""

from __future__ import annotations

import re
from collections.abc import Mapping

from evalharness.core.canonical import content_hash
from evalharness.core.rubric import Criterion, Overall, Rubric, Scale, overall_value
from evalharness.core.scores import (
    OVERALL,
    Cause,
    Column,
    Failure,
    Result,
    Score,
    Skip,
    SkipReason,
    Value,
)
from evalharness.llm.client import Client, Sampling

TOY_NOTE = "a toy judge: for trying things out, not for decisions"


def rubric_columns(
    scorer: str, rubric: Rubric, protocol: Mapping[str, str], *, note: str = ""
) -> tuple[Column, ...]:
    """One column per criterion, then ``_overall``.

    ``protocol`` is what made the values apart from the rubric, by name; with the rubric's hash it is the signature.
    """
    signature = signature_text({**protocol, "rubric": f"{rubric.name}@{rubric.judge_hash}"})
    columns = [_column(scorer, rubric, criterion, signature, note) for criterion in rubric.criteria]
    return (*columns, _overall_column(scorer, rubric, protocol, note))


def signature_text(parts: Mapping[str, str]) -> str:
    """``name:value|name:value``, in the given order; bars in values are written ``¦``."""
    return "|".join(f"{name}:{value.replace('|', '¦')}" for name, value in parts.items())


def model_parts(client: Client) -> dict[str, str]:
    """What a signature says of a model: its name, where it is reached, and a hash of all that tells it from others.

    Of a model that is a file on this machine only the file's name, since the hash covers what is in it.
    """
    name = client.model if client.endpoint else re.split(r"[/\\]", client.model)[-1]
    parts = {"judge": f"{client.backend}:{name}"}
    if client.endpoint:
        parts["at"] = client.endpoint
    parts["identity"] = content_hash(dict(client.identity), 8)
    return parts


def sampling_text(sampling: Sampling) -> str:
    """The sampling wishes that are set; ``default`` when none is."""
    wishes = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "effort": sampling.effort,
    }
    stated = [f"{name}={value}" for name, value in wishes.items() if value is not None]
    return ",".join(stated) or "default"


def with_overall(rubric: Rubric, results: Mapping[str, Result]) -> tuple[Result, ...]:
    """The results in the rubric's order, then the overall: undefined when a criterion failed, skipped ones apart."""
    ordered = tuple(results[criterion.id] for criterion in rubric.criteria)
    return (*ordered, overall_result(rubric, results))


def overall_result(rubric: Rubric, results: Mapping[str, Result]) -> Result:
    """The rubric's overall from the results of its criteria."""
    failed = [criterion.id for criterion in rubric.criteria if isinstance(results[criterion.id], Failure)]
    if failed:
        return Failure(Cause.INCOMPLETE, f"no value for {', '.join(failed)}")
    values: dict[str, Value] = {}
    for criterion in rubric.criteria:
        result = results[criterion.id]
        if isinstance(result, Score):
            values[criterion.id] = result.value
    if not values:
        first = next(r for r in results.values() if isinstance(r, Skip))
        return Skip(first.reason, "every criterion was skipped")
    overall = overall_value(rubric, values)
    if overall is None:
        return Skip(SkipReason.NOTHING_TO_JUDGE, "no criterion that was scored counts towards an overall")
    return Score(overall)


def _column(scorer: str, rubric: Rubric, criterion: Criterion, signature: str, note: str) -> Column:
    return Column(
        scorer=scorer,
        criterion=criterion.id,
        unit=rubric.unit,
        signature=signature,
        rubric=rubric.name,
        low=criterion.low,
        high=criterion.high,
        passes=None if criterion.passes is None else str(criterion.passes),
        higher_is_better=criterion.higher_is_better,
        must=criterion.must,
        nominal=criterion.scale is Scale.NOMINAL,
        levels=criterion.labels,
        judged=True,
        note=note,
    )


def _overall_column(scorer: str, rubric: Rubric, protocol: Mapping[str, str], note: str) -> Column:
    return Column(
        scorer=scorer,
        criterion=OVERALL,
        unit=rubric.unit,
        signature=signature_text({**protocol, "rubric": f"{rubric.name}@{rubric.full_hash}"}),
        rubric=rubric.name,
        low=0.0,
        high=1.0,
        passes=">=1" if rubric.overall is Overall.ALL_PASS else None,
        higher_is_better=True,
        judged=True,
        note=note,
    )
