"""Published correlations on USR Topical-Chat come out of the values (300 replies, five systems)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

import pytest
from scipy.stats import pearsonr, spearmanr

from evalharness.core.dialogue import Dialogue, Item, Message
from evalharness.core.scores import Score
from evalharness.metrics.spec import parse_metrics
from tests.research import research_file

_REFERENCE_MODEL = "Original Ground Truth"


class Replies(NamedTuple):
    """The replies to score, with the system and the mean overall rating of each."""

    items: list[Item]
    systems: list[str]
    ratings: list[float]


@pytest.fixture(scope="module")
def replies() -> Replies:
    contexts = json.loads(research_file("usr-topical-chat/tc_usr_data.json").read_text(encoding="utf-8"))
    found = Replies([], [], [])
    for number, context in enumerate(contexts):
        by_model = {response["model"]: response for response in context["responses"]}
        reference = by_model.pop(_REFERENCE_MODEL)["response"]
        for model, response in by_model.items():
            message = Message("assistant", response["response"], references=(reference,))
            dialogue = Dialogue(f"{number}-{model}", (Message("user", context["context"]), message))
            found.items.append(Item(dialogue, 1))
            found.systems.append(model)
            found.ratings.append(fmean(response["Overall"]))
    assert len(found.items) == 300
    return found


def by_system(values: Sequence[float], systems: Sequence[str]) -> list[float]:
    groups: dict[str, list[float]] = defaultdict(list)
    for value, system in zip(values, systems, strict=True):
        groups[system].append(value)
    return [fmean(groups[system]) for system in sorted(groups)]


@pytest.mark.parametrize(
    ("name", "pearson", "spearman", "system_pearson", "system_spearman"),
    [
        ("bleu:coco", 0.216, 0.296, 0.874, 0.900),
        ("rougeL:coco", 0.275, 0.287, 0.814, 0.900),
        ("bleu", 0.228, 0.292, None, None),
        ("rougeL", 0.268, 0.286, None, None),
        ("rouge1", 0.282, 0.302, None, None),
        ("chrf", 0.390, 0.431, 0.977, None),
    ],
)
def test_correlation_with_the_mean_overall_rating(
    replies: Replies,
    name: str,
    pearson: float,
    spearman: float,
    system_pearson: float | None,
    system_spearman: float | None,
) -> None:
    (metric,) = parse_metrics([name])
    results = [row[0] for row in metric.score_many(replies.items)]
    values = [float(result.value) for result in results if isinstance(result, Score)]
    assert round(pearsonr(values, replies.ratings).statistic, 3) == pearson
    assert round(spearmanr(values, replies.ratings).statistic, 3) == spearman
    systems = by_system(values, replies.systems), by_system(replies.ratings, replies.systems)
    if system_pearson is not None:
        assert round(pearsonr(*systems).statistic, 3) == system_pearson
    if system_spearman is not None:
        assert round(spearmanr(*systems).statistic, 3) == system_spearman
