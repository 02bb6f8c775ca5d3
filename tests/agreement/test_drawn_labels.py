"""Labels that were not drawn at random: `label` says with which probability, and the figures follow."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.agreement.runs import agree, dialogue, figure, make_run, write_lines
from tests.cli.runner import run
from tests.labelling.test_page import data_of

COUNT = 240


def judged(i: int) -> int:
    return 1 + i % 5


def human(i: int) -> int:
    """The judge is one too kind on every fourth dialogue."""
    return max(1, judged(i) - (i % 4 == 0))


def chance(i: int) -> float:
    return 1.0 if i % 4 == 0 else 0.25


DRAWN = [i for i in range(COUNT) if i % 4 == 0 or (i // 4) % 4 == i % 4]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outputs = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": name, "outputs": [value]}
        for i in range(COUNT)
        for name, value in (("tone", float(judged(i))), ("safe", 1.0))
    ]
    dialogues = [dialogue(f"d{i}", ["word " * (2 + i % 3)]) for i in range(COUNT)]
    return make_run(tmp_path_factory.mktemp("drawn"), dialogues, outputs)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    rows = [f"d{i},1,tone,a,{human(i)},,{chance(i)}" for i in DRAWN]
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(["dialogue,turn,criterion,rater,value,comment,probability", *rows]) + "\n")
    return path


def test_agreement_is_weighted_and_says_so(folder: Path, labels: Path) -> None:
    ran = agree(folder, labels, "--all", "--json")
    assert ran.code == 0, ran.err
    share = figure(ran, "j", "percent")
    weight = np.array([1 / chance(i) for i in DRAWN])
    same = np.array([human(i) == judged(i) for i in DRAWN])
    assert share["value"] == pytest.approx(np.average(same, weights=weight))
    assert (share["n"], share["weighted"]) == (len(DRAWN), True)
    i, j = np.triu_indices(len(DRAWN), 1)
    judge_values, human_values = (np.array([side(d) for d in DRAWN]) for side in (judged, human))
    alike = np.sign(judge_values[i] - judge_values[j]) == np.sign(human_values[i] - human_values[j])
    ordered = figure(ran, "j", "pairwise_accuracy")
    assert ordered["value"] == pytest.approx(np.average(alike, weights=weight[i] * weight[j]))
    assert (ordered["n"], ordered["weighted"]) == (len(DRAWN), True)
    near = figure(ran, "j", "exact")
    assert (near["value"], near["n"], near["weighted"]) == (pytest.approx(share["value"]), len(DRAWN), True)
    fives = human_values == 5
    found = figure(ran, "j", "recall:5")
    assert found["value"] == pytest.approx(np.average(same[fives], weights=weight[fives]))
    assert (found["n"], found["weighted"]) == (int(fives.sum()), True)
    assert figure(ran, "j", "bowker")["weighted"] is False
    bias = figure(ran, "j", "bland_altman_bias")
    gaps = np.array([judged(i) - human(i) for i in DRAWN])
    assert bias["value"] == pytest.approx(np.average(gaps, weights=weight))
    assert (bias["n"], bias["weighted"]) == (len(DRAWN), True)
    note = next(note for note in ran.json["notes"] if note.startswith("tone:"))
    assert "not drawn at random (probabilities from 0.25 to 1)" in note
    assert "weighted by 1 / probability" in note
    assert "not drawn at random" in (folder / "agree.html").read_text(encoding="utf-8")


def test_weights_are_left_out_by_request_and_that_is_said(folder: Path, labels: Path) -> None:
    ran = agree(folder, labels, "--all", "--unweighted", "--json")
    same = [human(i) == judged(i) for i in DRAWN]
    share = figure(ran, "j", "percent")
    assert (share["value"], share["weighted"]) == (pytest.approx(np.mean(same)), False)
    assert "every figure is of the labelled items, not of the run" in ran.json["notes"][0]


def test_equal_probabilities_are_a_random_sample(folder: Path, tmp_path: Path) -> None:
    rows = [
        {
            "dialogue": f"d{i}",
            "turn": 1,
            "criterion": "tone",
            "rater": "a",
            "value": human(i),
            "probability": 0.2,
        }
        for i in range(0, COUNT, 5)
    ]
    ran = agree(folder, write_lines(tmp_path / "l.jsonl", rows), "--json")
    assert ran.json["notes"] == []
    assert {row["weighted"] for row in ran.json["rows"]} == {None}


def test_ceiling_is_weighted_like_the_judge(folder: Path, tmp_path: Path) -> None:
    rows = [
        {
            "dialogue": f"d{i}", "turn": 1, "criterion": "tone", "rater": rater, "probability": chance(i),
            "value": human(i) if rater == "a" else judged(i),
        }
        for i in DRAWN
        for rater in "ab"
    ]  # fmt: skip
    labels = write_lines(tmp_path / "l.jsonl", rows)
    chosen = ["--statistic", "percent", "--json"]
    weight = [1 / chance(i) for i in DRAWN]
    same = [human(i) == judged(i) for i in DRAWN]
    fixed, plain = agree(folder, labels, *chosen), agree(folder, labels, "--unweighted", *chosen)
    for ran, wanted in ((fixed, np.average(same, weights=weight)), (plain, np.mean(same))):
        for scorer in ("human:pairwise", "human:leave_one_out"):
            row = figure(ran, scorer, "percent")
            assert (row["value"], row["n"]) == (pytest.approx(wanted), len(DRAWN))


def test_debiased_mean_uses_the_probabilities(folder: Path, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.json"
    ran = run("calibrate", folder, "-l", labels, "--json", "-o", out)
    assert ran.code == 0, ran.err
    (found,) = ran.json["calibrations"]
    truth = np.mean([human(i) for i in range(COUNT)])
    for name in ("mean", "mean_post_stratified"):
        debiased = found[name]["debiased"]
        assert "weighted" in debiased["method"]
        assert debiased["low"] <= truth <= debiased["high"], name
        assert found[name]["human_only"]["method"].startswith("weighted labels")
    assert any(
        "curve, means, calibration error, reliability and scores are weighted" in note
        for note in found["notes"]
    )
    plain = run("calibrate", folder, "-l", labels, "--unweighted", "--json", "-o", out)
    (naive,) = plain.json["calibrations"]
    assert naive["mean"]["debiased"]["high"] < truth
    assert any("weights were not wanted" in note for note in naive["notes"])


@pytest.mark.parametrize(
    ("probability", "other", "said"),
    [
        ("1.5", "1", "probability can't be '1.5'"),
        ("0", "1", "can't be '0'"),
        ("0.5", "0.25", "0.25 here and 0.5 in"),
    ],
)
def test_impossible_and_contradicting_probabilities_are_refused(
    folder: Path, tmp_path: Path, probability: str, other: str, said: str
) -> None:
    path = tmp_path / "l.csv"
    path.write_text(
        "dialogue,turn,criterion,rater,value,probability\n"
        f"d0,1,tone,a,3,{probability}\nd0,1,tone,b,3,{other}\n"
    )
    ran = agree(folder, path)
    assert ran.code == 2
    assert said in ran.err
    assert re.search(r"l\.csv:[23]", ran.err)


def test_items_without_a_probability_stop_the_weighting(folder: Path, labels: Path, tmp_path: Path) -> None:
    more = write_lines(
        tmp_path / "more.jsonl",
        [{"dialogue": "d1", "turn": 1, "criterion": "tone", "rater": "z", "value": 2}],
    )
    ran = agree(folder, labels, "-l", more, "--json")
    assert f"1 of {len(DRAWN) + 1} state no probability: nothing is weighted" in ran.json["notes"][0]


def test_what_the_page_for_raters_exports_is_weighted(tmp_path: Path) -> None:
    """A draw by disagreement of two judges: probabilities of the page, in the columns that it exports."""
    dialogues = [dialogue(f"d{i}", ["hello"]) for i in range(60)]
    outputs = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": name, "outputs": [value]}
        for i in range(60)
        for name, value in (("tone", float(judged(i))), ("safe", 1.0))
    ]
    other = [
        {**row, "outputs": [float(human(int(row["dialogue"][1:])))]} if row["criterion"] == "tone" else row
        for row in outputs
    ]
    second = write_lines(tmp_path / "second.jsonl", [{"judge": "other"}, *other])
    folder = make_run(tmp_path, dialogues, outputs, "-j", f"k=replay:{second}")
    rubric = tmp_path / "reply.yaml"
    done = run("label", folder, "--rubric", rubric, "--by", "disagreement", "--size", "30")
    assert done.code == 0, done.err
    chances = {item["id"]: item["probability"] for item in data_of(folder / "label.html")["items"]}
    assert len(set(chances.values())) > 1
    rows = ["dialogue,turn,criterion,rater,value,comment,probability"]
    rows += [f"{name},1,tone,a,{human(int(name[1:]))},,{p}" for name, p in chances.items()]
    (tmp_path / "export.csv").write_text("\n".join(rows) + "\n")
    ran = agree(folder, tmp_path / "export.csv", "--statistic", "percent", "--json")
    weight = [1 / p for p in chances.values()]
    same = [human(int(name[1:])) == judged(int(name[1:])) for name in chances]
    assert figure(ran, "j", "percent")["value"] == pytest.approx(np.average(same, weights=weight), abs=0.01)


def test_probabilities_in_other_exports_are_read(folder: Path, tmp_path: Path) -> None:
    records = [
        {
            "id": str(i), "fields": {"reply": "hi"},
            "metadata": {"dialogue": f"d{i}", "turn": 1, "probability": chance(i)},
            "responses": {"tone": [{"user_id": "a", "value": human(i), "status": "submitted"}]},
        }
        for i in DRAWN
    ]  # fmt: skip
    path = tmp_path / "argilla.json"
    path.write_text(json.dumps(records))
    ran = agree(folder, path, "--statistic", "percent", "--json")
    assert figure(ran, "j", "percent")["weighted"] is True
