"""`score` from dialogues to a run folder, through the command."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from evalharness.data.dialogues import Read, read_dialogues
from tests.cli.runner import DATASETS, report, run, scores
from tests.research import research_file

SMALL = DATASETS / "small.jsonl"

TABLE_A = {
    # metric: turn Pearson, turn Spearman, system Pearson, system Spearman (None: not published)
    "bleu:coco": (0.216, 0.296, 0.874, 0.900),
    "rougeL:coco": (0.275, 0.287, 0.814, 0.900),
    "bleu": (0.228, 0.292, None, None),
    "rougeL": (0.268, 0.286, None, None),
    "rouge1": (0.282, 0.302, None, None),
    "chrf": (0.390, 0.431, 0.977, None),
}


def _line(name: str, *texts: str, **extra: object) -> str:
    roles = ["user", "assistant"]
    messages = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
    return json.dumps({"id": name, "messages": messages, **extra}) + "\n"


def test_without_a_scorer_surface_measures_run():
    ran = run("score", SMALL, "--out", "r")
    assert ran.code == 0, ran.err
    criteria = {row["criterion"] for row in scores(Path("r"))}
    assert {"words", "distinct1", "questions"} <= criteria
    assert "6 dialogues" in ran.out
    assert "r/report.html" in ran.out


def test_the_run_folder_is_complete_and_private():
    run("score", SMALL, "--metric", "bleu,rouge", "--out", "r")
    names = {path.name for path in Path("r").iterdir()}
    assert {
        "run.sqlite",
        "scores.jsonl",
        "scores.csv",
        "report.json",
        "execution.json",
        "report.html",
    } <= names
    assert stat.S_IMODE(Path("r").stat().st_mode) == 0o700
    for path in Path("r").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_outcome_lines_have_the_promised_fields():
    run("score", SMALL, "--metric", "bleu", "--out", "r")
    row = scores(Path("r"))[0]
    promised = {
        "dialogue", "turn", "group", "scorer", "rubric", "criterion", "status", "value", "probabilities", "samples",
        "rationale", "evidence", "cause", "signature",
    }  # fmt: skip
    assert promised <= set(row)
    assert row["criterion"] == row["scorer"] == "bleu"
    assert "version:" in row["signature"]


@pytest.mark.parametrize("metric", sorted(TABLE_A))
def test_usr_correlations_come_out_of_a_run(metric: str, tmp_path: Path):
    source = research_file("usr-topical-chat/tc_usr_data.json")
    assert run("score", source, "--metric", metric, "--out", "r").code == 0
    human, system = defaultdict(list), {}
    for row in read_dialogues([str(source)]):
        assert isinstance(row, Read)
        system[row.dialogue.id] = row.dialogue.system
        for label in row.labels:
            if label.criterion == "Overall":
                human[label.dialogue].append(label.value)
    rows = [row for row in scores(Path("r")) if row["status"] == "scored" and row["criterion"] == metric]
    assert len(rows) == 300
    x = np.array([row["value"] for row in rows])
    y = np.array([np.mean(human[row["dialogue"]]) for row in rows])
    names = np.array([system[row["dialogue"]] for row in rows])
    means = np.array([[x[names == name].mean(), y[names == name].mean()] for name in sorted(set(names))])
    found = (pearsonr(x, y)[0], spearmanr(x, y)[0], pearsonr(*means.T)[0], spearmanr(*means.T)[0])
    for ours, published in zip(found, TABLE_A[metric], strict=True):
        assert published is None or round(float(ours), 3) == published


def test_the_same_command_again_changes_nothing_and_gives_the_same_report():
    arguments = ("score", SMALL, "--metric", "bleu,surface", "--out", "r")
    run(*arguments)
    before = Path("r/report.json").read_bytes()
    again = run(*arguments)
    assert again.code == 0
    assert Path("r/report.json").read_bytes() == before


def test_the_report_does_not_depend_on_the_order_of_the_input():
    lines = SMALL.read_text(encoding="utf-8").splitlines(keepends=True)
    Path("data").mkdir()
    for name, order in (("a", lines), ("b", lines[::-1])):
        Path(name).mkdir()
        Path(name, "in.jsonl").write_text("".join(order), encoding="utf-8")
    for name in ("a", "b"):
        assert (
            run("score", Path(name, "in.jsonl"), "--metric", "bleu,rouge,surface", "--out", name + "/r").code
            == 0
        )
    one, two = (report(Path(name, "r")) for name in ("a", "b"))
    one["run"].pop("sources"), two["run"].pop("sources")
    assert one == two


def test_changed_input_is_refused_by_name_and_followed_with_update():
    Path("in.jsonl").write_text(_line("a", "q", "one") + _line("b", "q", "two"))
    run("score", "in.jsonl", "--out", "r")
    Path("in.jsonl").write_text(_line("a", "q", "one") + _line("b", "q", "changed words here"))
    refused = run("score", "in.jsonl", "--out", "r")
    assert refused.code == 2
    assert (
        "in.jsonl:2: the input is not what this run folder was made from: dialogue 'b' has changed"
        in refused.err
    )
    assert run("score", "in.jsonl", "--out", "r", "--update").code == 0
    words = {r["dialogue"]: r["value"] for r in scores(Path("r")) if r["criterion"] == "words"}
    assert words == {"a": 1.0, "b": 3.0}


def test_changed_settings_are_refused_by_name():
    run("score", SMALL, "--metric", "bleu", "--out", "r")
    refused = run("score", SMALL, "--metric", "chrf", "--turns", "last", "--out", "r")
    assert refused.code == 2
    assert "metric bleu: was part of the run, is no longer asked" in refused.err
    assert "metric chrf: is new" in refused.err
    assert "--turns: changed" in refused.err
    assert run("score", SMALL, "--metric", "chrf", "--out", "r", "--update").code == 0
    assert {row["criterion"] for row in scores(Path("r"))} == {"chrf"}


def test_bad_lines_stop_the_run_and_are_all_named():
    Path("in.jsonl").write_text(
        _line("a", "q", "one") + "{broken\n" + _line("b", "q", "two") + '{"id": "c"}\n'
    )
    ran = run("score", "in.jsonl", "--out", "r")
    assert ran.code == 2
    assert "in.jsonl:2" in ran.err
    assert "in.jsonl:4" in ran.err
    assert "--skip-bad-lines" in ran.err
    assert not Path("r/scores.jsonl").exists()


def test_bad_lines_can_be_set_aside_and_are_counted():
    Path("in.jsonl").write_text(_line("a", "q", "one") + "{broken\n")
    ran = run("score", "in.jsonl", "--out", "r", "--skip-bad-lines")
    assert ran.code == 0, ran.err
    assert "1 bad lines set aside" in ran.out
    assert report(Path("r"))["run"]["rejected"] == 1
    rejected = json.loads(Path("r/rejected.jsonl").read_text())
    assert (rejected["line"], rejected["raw"]) == (2, "{broken")


def test_equal_ids_stop_the_run_with_both_lines():
    Path("in.jsonl").write_text(_line("a", "q", "one") + _line("a", "q", "two"))
    ran = run("score", "in.jsonl", "--out", "r")
    assert ran.code == 2
    assert "in.jsonl:2: the id 'a' is already that of in.jsonl:1" in ran.err


def test_standard_input_and_metadata():
    Path("in.jsonl").write_text(_line("a", "q", "one"))
    ran = run("score", "in.jsonl", "--set", "system=v7", "--out", "r")
    assert ran.code == 0
    assert scores(Path("r"))[0]["system"] == "v7"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--metric", "blue"), "there is no metric or check 'blue'. Did you mean bleu"),
        (("--judge", "local:smollm2"), "a judge needs a rubric"),
        (("--rubric", "support-reply"), "a rubric needs a judge"),
        (("--rubric", "suport-reply", "--judge", "replay:x"), "Did you mean support-reply"),
        (("--metric", "bleu", "--metric", "bleu"), "'bleu' is named twice"),
        (("--set", "system"), "--set 'system' has no '='"),
        (("--turns", "first"), "'first' is not one of"),
        (("--format", "yaml"), "yaml"),
    ],
)
def test_wrong_usage_is_one_clear_message_and_exit_code_2(arguments: tuple[str, ...], message: str):
    ran = run("score", SMALL, "--out", "r", *arguments)
    assert ran.code == 2
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_an_absent_file_is_named():
    ran = run("score", "absent.jsonl", "--out", "r")
    assert ran.code == 2
    assert "absent.jsonl" in ran.err


def test_json_on_stdout_is_the_report():
    ran = run("score", SMALL, "--metric", "bleu", "--out", "r", "--json", "-q")
    assert ran.json == report(Path("r"))
    assert ran.err == ""


def test_settings_files_give_defaults_and_the_command_line_wins():
    Path("evalharness.yaml").write_text("score:\n  metric: [chrf]\n  turns: last\n")
    run("score", SMALL, "--out", "r")
    assert {row["criterion"] for row in scores(Path("r"))} == {"chrf"}
    run("score", SMALL, "--metric", "bleu", "--out", "r2")
    assert {row["criterion"] for row in scores(Path("r2"))} == {"bleu"}


def test_mistakes_in_a_settings_file_are_named():
    Path("evalharness.yaml").write_text("score:\n  metrik: [chrf]\nscrore: {}\n")
    ran = run("score", SMALL, "--out", "r")
    assert ran.code == 2
    assert "score has no option 'metrik'" in ran.err
    assert "'scrore' is no command" in ran.err


def test_a_settings_file_can_not_allow_plain_http():
    Path("evalharness.yaml").write_text("score:\n  insecure-http: true\n")
    ran = run("score", SMALL, "--out", "r")
    assert ran.code == 2
    assert "score has no option 'insecure-http'" in ran.err


def test_the_environment_gives_defaults(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EVALHARNESS_SCORE_METRIC", "ter")
    run("score", SMALL, "--out", "r")
    assert {row["criterion"] for row in scores(Path("r"))} == {"ter"}


def test_a_run_without_judges_has_nothing_to_send():
    ran = run("score", SMALL, "--dry-run", "--out", "r")
    assert ran.code == 0
    assert "nothing was sent" in ran.out
    assert not Path("r").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_file_whose_name_is_no_utf_8_is_scored():
    name = os.fsdecode(b"in\xff.jsonl")
    Path(name).write_bytes(SMALL.read_bytes())
    for _ in range(2):
        ran = run("score", name, "--metric", "bleu", "--quiet", "-o", "r")
        assert ran.code == 0, ran.err
    assert report(Path("r"))["run"]["sources"] == ["in\\udcff.jsonl"]
