"""What stands beside the scores: gate and labels on the report's first screen, and only while they are about these."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.runner import DATASETS, Ran, report, run, scores
from tests.faultd import Faultd
from tests.report.page_dom import parse, visible_text


@pytest.fixture(scope="module")
def server() -> Iterator[Faultd]:
    with Faultd(judge=1) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("EVALHARNESS_KEY_127_0_0_1", "test-key")
    monkeypatch.chdir(tmp_path)
    lines = (DATASETS / "sample.jsonl").read_text(encoding="utf-8").splitlines()
    for place, line in enumerate(lines[:24]):
        lines[place] = json.dumps({**json.loads(line), "metadata": {"lang": "de" if place % 2 else "en"}})
    Path("logs.jsonl").write_text("\n".join(lines[:24]) + "\n", encoding="utf-8")
    return tmp_path


def score(server: Faultd, out: str, judge: int, *more: str) -> Ran:
    server.judge = judge
    ran = run(
        "score", "logs.jsonl", "-r", "support-reply", "-j", f"j=openai:m@{server.url}", "-o", out, "--no-cache", *more
    )  # fmt: skip
    assert ran.code == 0, ran.err
    return ran


def write_labels(folder: str, noise: float = 0.5) -> str:
    """Two raters who see helpfulness as the judge does, and clarity as they please."""
    draw = random.Random(5)
    with Path("labels.csv").open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["dialogue", "turn", "criterion", "rater", "value", "comment"])
        for row in scores(Path(folder)):
            if row["criterion"] not in ("helpfulness", "clarity"):
                continue
            for rater in ("a", "b"):
                seen = row["value"] if row["criterion"] == "helpfulness" else draw.randint(1, 5)
                value = min(5, max(1, round(seen + draw.gauss(0, noise))))
                writer.writerow([row["dialogue"], row["turn"], row["criterion"], rater, value, "<i>seen</i>"])
    return "labels.csv"


def page(folder: str = "new") -> str:
    return (Path(folder) / "report.html").read_text(encoding="utf-8")


def words(folder: str = "new") -> str:
    return " ".join(visible_text(parse(page(folder))).split())


def test_without_labels_and_baseline_the_page_says_what_to_do(server: Faultd, folder: Path) -> None:
    score(server, "new", 1)
    assert "Trust unchecked Label 50 replies: evalharness label RUN, then evalharness agree RUN" in words()
    assert "vs baseline" not in words()
    assert "Agreement with humans" not in words()
    assert "Worst slice none stands out (10 comparisons)" in words()


def test_gate_and_labels_stand_on_the_first_screen(server: Faultd, folder: Path) -> None:
    score(server, "old", 1)
    score(server, "new", 2)
    ran = run("report", "new", "--baseline", "old", "--labels", write_labels("new"))
    assert ran.code == 0, ran.err
    gate = json.loads(Path("new/gate.json").read_text())
    seen = words()
    verdict = {"fail": "regressed", "inconclusive": "undecided", "pass": "passed"}[gate["verdict"]]
    assert f"Gate {verdict}" in seen
    assert "against old" in seen
    assert "helpfulness usable" in seen
    assert "clarity NOT usable" in seen
    assert "2 criteria unchecked" in seen
    for column in ("vs baseline", "agrees [95 %]", "humans", "length"):
        assert column in seen
    assert "Where judge and humans differ most" in seen
    assert "<i>seen</i>" not in page()
    new = {(i["dialogue"], i["turn"]) for row in gate["criteria"] for i in row["new_failures"]}
    assert f"{len(new)} newly failing" in seen


def test_they_are_shown_only_while_they_are_about_these_scores(server: Faultd, folder: Path) -> None:
    score(server, "old", 1)
    score(server, "new", 2)
    run("agree", "new", "--labels", write_labels("new"), "-q")
    run("gate", "new", "--baseline", "old", "-q")
    run("report", "new")
    assert "Agreement with humans" in words()
    with Path("logs.jsonl").open("a", encoding="utf-8") as out:
        lines = (DATASETS / "sample.jsonl").read_text(encoding="utf-8").splitlines()
        out.write(lines[30] + "\n")
    score(server, "new", 2, "--update")
    seen = words()
    assert "agree.json is about earlier scores: run `evalharness agree` again." in seen
    assert "gate.json is about earlier scores: run `evalharness gate` again." in seen
    assert "Agreement with humans" not in seen
    assert "Trust unchecked" in seen


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"run_fingerprint": null}'])
def test_a_damaged_file_is_said_and_not_shown(server: Faultd, folder: Path, damage: str) -> None:
    score(server, "new", 1)
    for name in ("agree.json", "gate.json"):
        Path("new", name).write_text(damage)
    assert run("report", "new").code == 0
    assert words().count("Not shown") == 2


def test_a_file_that_lost_a_field_is_said(server: Faultd, folder: Path) -> None:
    score(server, "new", 1)
    run("agree", "new", "--labels", write_labels("new"), "-q")
    path = Path("new/agree.json")
    found = json.loads(path.read_text())
    del found["rows"]
    path.write_text(json.dumps(found))
    run("report", "new")
    assert "agree.json can't be read: run `evalharness agree` again." in words()


def test_slices_are_compared_and_the_worst_is_named(server: Faultd, folder: Path) -> None:
    """Replies to half of the dialogues are made much longer, and words are counted: no judge needed."""
    lines = [json.loads(line) for line in Path("logs.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if line["metadata"]["lang"] == "de":
            for message in line["messages"]:
                if message["role"] == "assistant":
                    message["references"] = ["entirely other words"]
        else:
            for message in line["messages"]:
                if message["role"] == "assistant":
                    message["references"] = [message["content"] or "x"]
    Path("logs.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert run("score", "logs.jsonl", "-m", "chrf", "-o", "new").code == 0
    rows = {(row["key"], row["value"]): row for row in report(Path("new"))["slices"]}
    assert rows["lang", "de"]["worse"]
    assert not rows["lang", "en"]["worse"]
    seen = words()
    assert "Worst slice lang = de ; chrf −" in seen.replace("de;", "de ;")
    assert "#?c=0&amp;s=scored&amp;sort=worst&amp;x=lang:de" in page()


def test_a_gate_of_a_file_in_this_folder_is_said_and_not_shown(server: Faultd, folder: Path) -> None:
    score(server, "new", 1)
    for name in ("one", "two"):
        assert run("baseline", "save", "new", "--out", f"{name}.json").code == 0
    assert run("gate", "one.json", "--baseline", "two.json", "--out", "new", "-q").code == 0
    run("report", "new")
    assert "gate.json is about new, not about this whole folder." in words()
