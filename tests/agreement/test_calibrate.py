"""`evalharness calibrate` as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.agreement.runs import dialogue, make_run, small_run, write_lines
from tests.cli.runner import report, run, scores


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("calibrate"), 120)


def lenient_labels(path: Path, count: int = 60) -> Path:
    """Humans give one point less than the judge (never below 1), on half of the items."""
    rows = [
        {"dialogue": f"d{2 * i}", "turn": 1, "criterion": "tone", "rater": "a", "value": max(1, (2 * i) % 5)}
        for i in range(count)
    ]
    return write_lines(path, rows)


def test_curve_and_debiased_mean_undo_leniency(folder: Path, tmp_path: Path) -> None:
    ran = run(
        "calibrate", folder, "-l", lenient_labels(tmp_path / "l.jsonl"), "--json", "-o", tmp_path / "c.json"
    )
    assert ran.code == 0, ran.err
    (found,) = ran.json["calibrations"]
    assert found["knots"] == [[1, 1], [2, 1], [3, 2], [4, 3], [5, 4]]
    mean = found["mean"]
    human = np.mean([max(1, i % 5) for i in range(120)])
    assert mean["judge_only"] == pytest.approx(3)
    assert mean["debiased"]["low"] <= human <= mean["debiased"]["high"]
    assert (
        mean["debiased"]["high"] - mean["debiased"]["low"]
        < mean["human_only"]["high"] - mean["human_only"]["low"]
    )
    assert mean["effective_labels"] > mean["labels"] == 60
    assert found["ece_calibrated"]["value"] < found["ece_raw"]["value"]
    assert found["half_width"] is not None


def test_binary_judge_gets_brier_and_corrected_rate(folder: Path, tmp_path: Path) -> None:
    rows = [
        {
            "dialogue": f"d{i}",
            "turn": 1,
            "criterion": "safe",
            "rater": "a",
            "value": "no" if i % 5 == 0 else "yes",
        }
        for i in range(60)
    ]
    ran = run(
        "calibrate",
        folder,
        "-l",
        write_lines(tmp_path / "l.jsonl", rows),
        "--json",
        "-o",
        tmp_path / "c.json",
    )
    (found,) = ran.json["calibrations"]
    parts = found["murphy"]
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within"]
    assert found["brier"]["value"] == pytest.approx(parts["brier"]) == pytest.approx(total)
    assert found["rate_rogan_gladen"]["low"] <= 0.8 <= found["rate_rogan_gladen"]["high"]


def test_what_is_left_out_of_a_binary_calibration_is_said(folder: Path, tmp_path: Path) -> None:
    rows = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": "safe", "rater": rater, "value": value}
        for i in range(60)
        for rater, value in (("a", "yes"), ("b", "yes" if i % 5 else "no"), ("c", "yes"))
    ]
    command = ("calibrate", folder, "-l", write_lines(tmp_path / "l.jsonl", rows), "-o", tmp_path / "c.json")
    (found,) = run(*command, "--json").json["calibrations"]
    assert (found["rate_rogan_gladen"], found["brier"]) == (None, None)
    shown = run(*command).out
    assert "raters differ on 12 of 60 (--raters chooses" in " ".join(shown.split())
    assert max(len(line) for line in shown.partition("\ncalibration:")[0].splitlines()) <= 100
    (tmp_path / "l.jsonl").write_text((tmp_path / "l.jsonl").read_text().replace('"no"', '"yes"'))
    assert "Rogan-Gladen – (needs judged items, and labelled ones of both classes)" in " ".join(
        run(*command).out.split()
    )
    write_lines(tmp_path / "l.jsonl", rows)
    (found,) = run(*command, "--raters", "b", "--json").json["calibrations"]
    assert found["rate_rogan_gladen"]["value"] == pytest.approx(0.8, abs=0.1)


def test_labels_that_are_all_the_same_are_said_to_teach_nothing(folder: Path, tmp_path: Path) -> None:
    rows = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": "tone", "rater": "a", "value": 3} for i in range(60)
    ]
    labels = write_lines(tmp_path / "l.jsonl", rows)
    shown = run("calibrate", folder, "-l", labels, "-o", tmp_path / "c.json")
    assert "all 60 labelled items are rated 3: the curve gives that for every score" in " ".join(
        shown.out.split()
    )
    fitted = run("fit", folder, "-l", labels, "-o", tmp_path / "j.json")
    assert fitted.code == 2
    assert "all 60 labelled items are rated 3: there is nothing to learn" in " ".join(fitted.err.split())
    assert not (tmp_path / "j.json").exists()


def test_calibration_is_applied_and_keeps_raw_values(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    run("calibrate", folder, "-l", lenient_labels(tmp_path / "l.jsonl"), "-q", "-o", file)
    ran = run("calibrate", folder, "--apply", file, "-o", tmp_path / "out.jsonl")
    assert ran.code == 0, ran.err
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(rows) == 120
    assert {(row["raw"], row["calibrated"]) for row in rows} == {(1, 1), (2, 1), (3, 2), (4, 3), (5, 4)}


def test_calibration_of_another_judge_is_refused(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    run("calibrate", folder, "-l", lenient_labels(tmp_path / "l.jsonl"), "-q", "-o", file)
    outputs = [
        {"dialogue": "d0", "turn": 1, "criterion": name, "outputs": [value]}
        for name, value in (("tone", 2), ("safe", 1))
    ]
    (tmp_path / "other").mkdir()
    other = make_run(tmp_path / "other", [dialogue("d0", ["hi"])], outputs)
    ran = run("calibrate", other, "--apply", file)
    assert ran.code == 2
    assert "changed: recording: " in ran.err
    assert " became " in ran.err
    assert not (other / "calibrated.jsonl").exists()


KNOT = '{"scorer": "j", "rubric": "reply", "criterion": "tone", "signature": "x", "knots": %s}'


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("[{}]", "no knots"),
        ("[]", "no calibrations"),
        (f"[{KNOT % '[[1, 2], [1, 3]]'}]", "don't rise"),
        (f"[{KNOT % '[[1, 2], [2, 1]]'}]", "don't rise"),
        (f"[{KNOT % '[[1, true]]'}]", "no number"),
        (f"[{KNOT % '[[1]]'}]", "no pair"),
    ],
)
def test_a_file_that_is_no_calibration_is_refused(folder: Path, tmp_path: Path, rows: str, said: str) -> None:
    (tmp_path / "x.json").write_text(f'{{"format": 1, "calibrations": {rows}}}')
    for ran in (
        run("calibrate", folder, "--apply", tmp_path / "x.json"),
        run(
            "score", folder.parent / "dialogues.jsonl", *judged(folder), "--calibration", tmp_path / "x.json"
        ),
    ):
        assert ran.code == 2
        assert said in ran.err
    assert run("calibrate", folder).code == 2


def judged(folder: Path) -> tuple[str | Path, ...]:
    """The options with which :func:`small_run` was scored."""
    place = folder.parent
    return "-r", place / "reply.yaml", "-j", f"j=replay:{place / 'outputs.jsonl'}"


def test_score_calibrates_what_it_stores_and_shows(folder: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "c.json", tmp_path / "run"
    run("calibrate", folder, "-l", lenient_labels(tmp_path / "l.jsonl"), "-q", "-o", file)
    source = folder.parent / "dialogues.jsonl"
    assert run("score", source, *judged(folder), "-o", out, "-q").code == 0
    assert {"calibrated"} & set(scores(out)[0]) == set()
    ran = run("score", source, *judged(folder), "--calibration", file, "-o", out)
    assert ran.code == 0, ran.err
    rows = {(row["criterion"], row["value"], row.get("calibrated")) for row in scores(out)}
    assert {pair for pair in rows if pair[0] == "tone"} == {
        ("tone", 1, 1), ("tone", 2, 1), ("tone", 3, 2), ("tone", 4, 3), ("tone", 5, 4),
    }  # fmt: skip
    assert {row[2] for row in rows if row[0] == "safe"} == {None}
    tone = next(c for c in report(out)["criteria"] if c["criterion"] == "tone")
    assert (tone["mean"]["value"], tone["calibrated"]["mean"]["value"]) == (3, pytest.approx(2.2))
    assert (tone["calibrated"]["labelled_items"], tone["calibrated"]["outside_labelled_range"]) == (60, 0)
    assert all("calibrated" not in c for c in report(out)["criteria"] if c["criterion"] != "tone")
    assert "calibrated 2.20" in ran.out
    assert "calibrated 2.20" in (out / "report.html").read_text(encoding="utf-8")
    assert (out / "scores.csv").read_text().splitlines()[0].endswith(",calibrated")


def test_score_refuses_a_calibration_of_another_rubric_before_it_asks(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    run("calibrate", folder, "-l", lenient_labels(tmp_path / "l.jsonl"), "-q", "-o", file)
    other = tmp_path / "reply.yaml"
    other.write_text((folder.parent / "reply.yaml").read_text().replace("How friendly", "How very friendly"))
    judge = f"j=replay:{folder.parent / 'outputs.jsonl'}"
    arguments = ["-r", other, "-j", judge, "--calibration", file, "-o", tmp_path / "run"]
    ran = run("score", folder.parent / "dialogues.jsonl", *arguments)
    assert ran.code == 2
    assert "j on tone: changed: rubric: reply@" in ran.err
    assert not (tmp_path / "run").exists()
    named = [
        "-r",
        folder.parent / "reply.yaml",
        "-j",
        f"other={judge.partition('=')[2]}",
        "--calibration",
        file,
    ]
    unknown = run("score", folder.parent / "dialogues.jsonl", *named, "-o", tmp_path / "run")
    assert unknown.code == 2
    assert "speaks about no judge of this run" in unknown.err


def test_drawing_probabilities_weigh_the_labels(tmp_path: Path) -> None:
    dialogues = [dialogue(f"d{i}", ["hi"], metadata={"chance": 0.5 if i % 2 else 1.0}) for i in range(80)]
    outputs = [
        {"dialogue": f"d{i}", "turn": 1, "criterion": name, "outputs": [value]}
        for i in range(80)
        for name, value in (("tone", 4.0 if i % 2 else 2.0), ("safe", 1.0))
    ]
    folder = make_run(tmp_path, dialogues, outputs)
    rows = [
        {
            "dialogue": f"d{i}",
            "turn": 1,
            "criterion": "tone",
            "rater": "a",
            "value": (4 if i % 2 else 2) - (i % 3 == 0),
        }
        for i in range(80)
        if i % 2 == 0 or i % 4 == 1
    ]
    labels = write_lines(tmp_path / "l.jsonl", rows)
    out = tmp_path / "c.json"
    ran = run("calibrate", folder, "-l", labels, "--probability", "chance", "--json", "-o", out)
    assert ran.code == 0, ran.err
    assert "weighted" in ran.json["calibrations"][0]["mean"]["debiased"]["method"]
    assert run("calibrate", folder, "-l", labels, "--probability", "nothing", "-o", out).code == 2
