"""A fitted judge that builds on other scorers of the run."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.agreement.runs import RUBRIC, dialogue, figure, write_lines
from tests.cli.runner import run, scores
from tests.recorded import CRITERIA, USR_FILE, write_replay
from tests.research import research_file

COUNT = 90


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recorded judge that knows half of the truth, the length of the reply the other half; labels of both."""
    folder = tmp_path_factory.mktemp("stacked")
    rng = random.Random(11)
    facts = [(rng.randint(1, 5), rng.randint(1, 40)) for _ in range(COUNT)]
    rows = [
        dialogue(f"d{i}", [" ".join("abc" for _ in range(size))], metadata={"system": f"s{i % 4}"})
        for i, (_, size) in enumerate(facts)
    ]
    outputs = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": name, "outputs": [value]}
        for i, (said, _) in enumerate(facts)
        for name, value in (("tone", float(said)), ("safe", float(i % 2)))
    ]
    labels = [
        {
            "dialogue": f"d{i}", "turn": 1, "criterion": "tone", "rater": "a",
            "value": min(5, max(1, round(said / 2 + size / 16))),
        }
        for i, (said, size) in enumerate(facts)
    ]  # fmt: skip
    write_lines(folder / "dialogues.jsonl", rows)
    write_lines(folder / "outputs.jsonl", [{"judge": "recorded"}, *outputs])
    write_lines(folder / "labels.jsonl", labels)
    (folder / "reply.yaml").write_text(RUBRIC, encoding="utf-8")
    done = run("score", folder / "dialogues.jsonl", *judged(folder), "-o", folder / "run", "-q")
    assert done.code == 0, done.err
    return folder


def judged(place: Path) -> list[str | Path]:
    return ["-r", place / "reply.yaml", "-j", f"j=replay:{place / 'outputs.jsonl'}"]


def fit(place: Path, out: Path, *more: str) -> dict:
    done = run("fit", place / "run", "-l", place / "labels.jsonl", "-o", out, "--json", *more)
    assert done.code == 0, done.err
    return done.json["tone"]


def test_stacking_beats_the_judge_and_the_features_alone(place: Path, tmp_path: Path) -> None:
    plain = fit(place, tmp_path / "plain.json")
    stacked = fit(place, tmp_path / "stacked.json", "--with", "j")
    alone = stacked["spearman_of_scorers_alone"]["j: tone"]["value"]
    own = plain["spearman_by_held_out_group"]["value"]
    assert stacked["spearman_by_held_out_group"]["value"] > max(alone, own) + 0.1
    assert plain["spearman_of_scorers_alone"] == {}


def test_choosing_keeps_what_counts_and_drops_the_rest(place: Path, tmp_path: Path) -> None:
    facts = fit(place, tmp_path / "chosen.json", "--with", "j", "--select")
    assert facts["features_chosen_within_the_fit"] is True
    document = json.loads((tmp_path / "chosen.json").read_text())
    assert [row["criterion"] for row in document["scores"]] == ["tone"]
    assert 1 <= len(document["features"]) <= 11
    assert facts["spearman_by_held_out_group"]["value"] > 0.9


def test_a_stacked_judge_runs_after_those_it_builds_on(place: Path, tmp_path: Path) -> None:
    fit(place, tmp_path / "stacked.json", "--with", "j")
    judge = f"mine=fitted:{tmp_path / 'stacked.json'}"
    out = tmp_path / "run"
    done = run("score", place / "dialogues.jsonl", *judged(place), "-j", judge, "-o", out, "-q")
    assert done.code == 0, done.err
    mine = {
        row["dialogue"]: row for row in scores(out) if (row["scorer"], row["criterion"]) == ("mine", "tone")
    }
    assert {row["status"] for row in mine.values()} == {"scored"}
    ran = run("agree", out, "-l", place / "labels.jsonl", "--json")
    value = {name: figure(ran, name, "spearman")["value"] for name in ("mine", "j")}
    assert value["mine"] > value["j"]


def test_a_run_without_the_scorers_is_refused(place: Path, tmp_path: Path) -> None:
    fit(place, tmp_path / "stacked.json", "--with", "j")
    judge = f"mine=fitted:{tmp_path / 'stacked.json'}"
    alone = ["-r", place / "reply.yaml", "-j", judge, "-o", tmp_path / "run"]
    done = run("score", place / "dialogues.jsonl", *alone)
    assert done.code == 2
    assert "mine builds on judge j on reply, which is not in this run" in done.err
    other = tmp_path / "reply.yaml"
    other.write_text(RUBRIC.replace("How friendly", "How very friendly"))
    changed = ["-r", other, "-j", f"j=replay:{place / 'outputs.jsonl'}", "-j", judge, "-o", tmp_path / "run"]
    done = run("score", place / "dialogues.jsonl", *changed)
    assert done.code == 2
    assert "mine builds on j: tone, changed: rubric: reply@" in done.err
    assert not (tmp_path / "run").exists()


def test_what_the_other_judge_failed_on_fails_with_its_cause(place: Path, tmp_path: Path) -> None:
    fit(place, tmp_path / "stacked.json", "--with", "j")
    # Identical outputs but for one unreadable verdict would be another recording: the judge's signature would differ.
    document = json.loads((tmp_path / "stacked.json").read_text())
    lines = [json.loads(line) for line in (place / "outputs.jsonl").read_text().splitlines()]
    recording = write_lines(
        tmp_path / "outputs.jsonl",
        [
            {**row, "outputs": ["nothing to read"]}
            if (row.get("dialogue"), row.get("criterion")) == ("d3", "tone")
            else row
            for row in lines
        ],
    )
    base = ["-r", place / "reply.yaml", "-j", f"j=replay:{recording}"]
    assert run("score", place / "dialogues.jsonl", *base, "-o", tmp_path / "first", "-q").code == 0
    signature = next(row["signature"] for row in scores(tmp_path / "first"))
    for row in document["scores"]:
        row["signature"] = signature
    (tmp_path / "stacked.json").write_text(json.dumps(document))
    judge = f"mine=fitted:{tmp_path / 'stacked.json'}"
    done = run("score", place / "dialogues.jsonl", *base, "-j", judge, "-o", tmp_path / "run", "-q")
    assert done.code == 0, done.err
    rows = {(r["scorer"], r["dialogue"]): r for r in scores(tmp_path / "run") if r["criterion"] == "tone"}
    assert rows["j", "d3"]["status"] == rows["mine", "d3"]["status"] == "failed"
    assert rows["mine", "d3"]["cause"] == rows["j", "d3"]["cause"]
    assert "builds on j: tone" in rows["mine", "d3"]["detail"]
    assert rows["mine", "d4"]["status"] == "scored"


def test_globs_that_meet_nothing_are_refused(place: Path, tmp_path: Path) -> None:
    done = run(
        "fit", place / "run", "-l", place / "labels.jsonl", "-o", tmp_path / "x.json", "--with", "gpt*"
    )
    assert done.code == 2
    assert "--with gpt* names no scorer" in done.err
    assert "j" in done.err


def test_judges_that_could_be_built_on_are_named(place: Path, tmp_path: Path) -> None:
    done = run("fit", place / "run", "-l", place / "labels.jsonl", "-o", tmp_path / "x.json")
    assert "--with j would build on them" in done.err


def test_stacked_on_a_recorded_judge_it_beats_both(tmp_path: Path) -> None:
    usr = research_file(USR_FILE)
    asked = tmp_path / "numbers.yaml"
    lines = [f"  {name}: {{question: 'How much?', scale: numeric, min: 0, max: 9}}\n" for name in CRITERIA]
    head = "rubric: numbers\nversion: 1\nunit: turn\nabout: Numbers.\ncriteria:\n"
    asked.write_text(head + "".join(lines), encoding="utf-8")
    recording = write_replay("llm_eval_no_cot", tmp_path / "recorded.jsonl", numbers=True)
    judge = f"gpt=replay:{recording}"
    assert run("score", usr, "-r", asked, "-j", judge, "-o", tmp_path / "run", "-q").code == 0
    common = ["fit", tmp_path / "run", "-l", usr, "--json", "-o", tmp_path / "j.json"]
    plain, stacked = run(*common).json["Overall"], run(*common, "--with", "gpt").json["Overall"]
    best = max(figure["value"] for figure in stacked["spearman_of_scorers_alone"].values())
    for name, own in (("group", 0.69), ("system", 0.62)):
        reached = stacked[f"spearman_by_held_out_{name}"]["value"]
        assert reached > max(own, plain[f"spearman_by_held_out_{name}"]["value"], best)


@pytest.mark.slow
def test_figures_of_nested_choice_beat_the_simple_ones(tmp_path: Path) -> None:
    usr = research_file(USR_FILE)
    assert run("score", usr, "-m", "surface", "-o", tmp_path / "run", "-q").code == 0
    surface = "words,chars,distinct*,repetition,overlap*,questions"
    arguments = ["-l", usr, "--json", "-o", tmp_path / "j.json", "--select", "--with", surface]
    found = run("fit", tmp_path / "run", *arguments).json
    assert found["Overall"]["spearman_by_held_out_group"]["value"] > 0.57
    assert found["Overall"]["spearman_by_held_out_system"]["value"] > 0.43
    assert found["Engaging"]["spearman_by_held_out_group"]["value"] > 0.63
