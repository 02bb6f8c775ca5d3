"""`evalharness fit`, and the judge that it makes."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from evalharness.core.dialogue import Dialogue, Item, Message
from evalharness.core.features import FEATURES, item_features
from tests.agreement.runs import RUBRIC, dialogue, write_lines
from tests.cli.runner import run, scores
from tests.research import research_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 80 replies, and labels of tone that follow their length with some noise."""
    place = tmp_path_factory.mktemp("fit")
    rng = random.Random(7)
    sizes = [rng.randint(2, 40) for _ in range(80)]
    rows = [
        dialogue(
            f"d{i}",
            [" ".join(rng.choice("abcdefgh") * 3 for _ in range(n))],
            metadata={"system": f"s{i % 4}"},
        )
        for i, n in enumerate(sizes)
    ]
    labels = [
        {
            "dialogue": f"d{i}", "turn": 1, "criterion": "tone", "rater": "a",
            "value": min(5, max(1, round(n / 9 + rng.random()))),
        }
        for i, n in enumerate(sizes)
    ]  # fmt: skip
    source = write_lines(place / "dialogues.jsonl", rows)
    write_lines(place / "labels.jsonl", labels)
    (place / "reply.yaml").write_text(RUBRIC, encoding="utf-8")
    assert run("score", source, "-m", "surface", "-o", place / "run", "-q").code == 0
    done = run("fit", place / "run", "-l", place / "labels.jsonl", "-o", place / "judge.json", "--json")
    assert done.code == 0, done.err
    return place


def test_facts_of_the_fit_are_stated(folder: Path) -> None:
    document = json.loads((folder / "judge.json").read_text())
    facts = document["fit"]["tone"]
    assert facts["spearman_by_held_out_group"]["value"] > 0.8
    assert facts["spearman_by_held_out_system"]["value"] > 0.8
    assert [point["labels"] for point in facts["learning_curve"]] == [20, 40]
    assert set(facts["weights"]) == set(FEATURES)
    assert 0 <= facts["share_outside_training"] < 0.5


def test_fitted_judge_scores_and_tells_extrapolation(folder: Path, tmp_path: Path) -> None:
    seen = json.loads((folder / "dialogues.jsonl").read_text().splitlines()[0])
    rows = [{**seen, "id": "short"}, dialogue("huge", ["aaa " * 900])]
    source = write_lines(tmp_path / "new.jsonl", rows)
    judge = f"mine=fitted:{folder / 'judge.json'}"
    done = run("score", source, "-r", folder / "reply.yaml", "-j", judge, "-o", tmp_path / "run", "-q")
    assert done.code == 0, done.err
    found = {(row["dialogue"], row["criterion"]): row for row in scores(tmp_path / "run")}
    assert 1 <= found["short", "tone"]["value"] < found["huge", "tone"]["value"] <= 5
    assert found["short", "safe"]["status"] == "skipped"
    assert found["short", "tone"].get("extra") is None
    assert "log_words" in found["huge", "tone"]["extra"]["outside_training"]
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    told = {row["criterion"]: row.get("outside_training") for row in report["criteria"]}
    assert told["tone"] == 1
    assert "extrapolated" in (tmp_path / "run" / "report.html").read_text()
    again = run("score", source, "-r", folder / "reply.yaml", "-j", judge, "-o", tmp_path / "run")
    assert "1 of 2 items (50 %) lie outside the range of training" in " ".join(again.out.split())


@pytest.mark.parametrize("text", ["{}", "[]", '{"format": 1, "features_version": 99}', "no json"])
def test_other_files_are_refused(folder: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    source = write_lines(tmp_path / "new.jsonl", [dialogue("a", ["hi"])])
    arguments = ["-r", folder / "reply.yaml", "-j", f"fitted:{tmp_path / 'bad.json'}", "-o", tmp_path / "run"]
    assert run("score", source, *arguments).code == 2


def test_a_map_to_a_criterion_that_no_label_has_is_refused(folder: Path, tmp_path: Path) -> None:
    command = ("fit", folder / "run", "-l", folder / "labels.jsonl", "-o", tmp_path / "j.json")
    ran = run(*command, "--map", "manner=tune")
    assert ran.code == 2
    assert "--map: there is no criterion of the labels 'tune'" in " ".join(ran.err.split())
    assert "manner" in run(*command, "--map", "manner=tone", "--json").json


def test_too_few_labels_are_refused(folder: Path, tmp_path: Path) -> None:
    rows = [{"dialogue": f"d{i}", "turn": 1, "criterion": "tone", "rater": "a", "value": 3} for i in range(5)]
    ran = run("fit", folder / "run", "-l", write_lines(tmp_path / "l.jsonl", rows), "-o", tmp_path / "j.json")
    assert ran.code == 2
    assert "at least 20" in ran.err


def test_odd_replies_have_finite_features() -> None:
    for text in ("", "?", "\u202e", "😀" * 50, "a" * 10_000):
        item = Item(Dialogue("d", (Message("assistant", text),)), 0)
        assert all(abs(value) < 1e6 for value in item_features(item))


def test_topical_chat_figures_beat_the_simple_ones(tmp_path: Path) -> None:
    source = research_file("usr-topical-chat/tc_usr_data.json")
    assert run("score", source, "-m", "surface", "-o", tmp_path / "run", "-q").code == 0
    ran = run("fit", tmp_path / "run", "-l", source, "-o", tmp_path / "judge.json", "--json")
    overall, engaging = ran.json["Overall"], ran.json["Engaging"]
    assert overall["spearman_by_held_out_group"]["value"] > 0.58
    assert overall["spearman_by_held_out_system"]["value"] > 0.42
    assert engaging["spearman_by_held_out_group"]["value"] > 0.65
    assert overall["spearman_of_length"]["value"] == pytest.approx(0.30, abs=0.01)
    assert next(p["spearman"] for p in overall["learning_curve"] if p["labels"] == 60) > 0.51
