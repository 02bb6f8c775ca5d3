"""The small commands, as a user calls them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from evalharness.data.cache import VerdictCache
from tests.cli.runner import DATASETS, ROOT, run

SMALL = DATASETS / "small.jsonl"


def test_version_and_help():
    assert run("--version").out.startswith("evalharness, version ")
    helped = run("-h")
    assert helped.code == 0
    assert "doctor" in helped.out


def test_an_unknown_command_gets_a_suggestion():
    ran = run("scroe")
    assert ran.code == 2
    assert "Did you mean score" in ran.err


def test_rubric_list_and_lint():
    assert "rag-faithfulness" in run("rubric", "list").out
    clean = run("rubric", "lint")
    count = len(list((ROOT / "rubrics").glob("*.yaml")))
    assert (clean.code, clean.out) == (0, f"{count} rubrics: nothing to improve\n")


def test_rubric_lint_lists_errors_and_findings_with_exit_codes():
    Path("bad.yaml").write_text("rubric: x\nunit: turn\n")
    bad = run("rubric", "lint", "bad.yaml")
    assert bad.code == 2
    assert "bad.yaml:1" in bad.out
    run("rubric", "new", "mine.yaml")
    text = Path("mine.yaml").read_text().replace("move the user's problem forward", "help and please")
    Path("mine.yaml").write_text(text)
    weak = run("rubric", "lint", "mine.yaml")
    assert weak.code == 0
    assert "[double-barrelled]" in weak.out
    assert run("rubric", "lint", "mine.yaml", "--strict").code == 2
    assert run("rubric", "lint", "mine.yaml", "--json").json[0]["code"] == "double-barrelled"


def test_rubric_new_never_overwrites():
    assert run("rubric", "new", "mine.yaml").code == 0
    again = run("rubric", "new", "mine.yaml")
    assert again.code == 2
    assert "exists already" in again.err


def test_rubric_show_prints_what_is_sent():
    ran = run("rubric", "show", "support-reply")
    assert ran.code == 0
    assert "## helpfulness" in ran.out
    assert '"enum"' in ran.out
    shown = run("rubric", "show", "support-reply", "--judge", "local:smollm2", "--json").json
    assert shown["requests"][0]["labels"] == ["1", "2", "3", "4", "5"]


def test_rubric_schema_is_json_schema():
    assert run("rubric", "schema").json["$schema"].startswith("https://json-schema.org/")


def test_judges_list_never_shows_a_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-123")
    ran = run("judges", "list", "--json")
    assert {row["name"] for row in ran.json} >= {"openai", "anthropic", "local", "replay"}
    assert "canary" not in ran.out


def test_judges_test_explains_a_missing_key():
    ran = run("judges", "test", "openai:gpt-6-luna")
    assert ran.code == 3
    assert "OPENAI_API_KEY" in ran.out


def test_doctor_is_well_here(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-canary-456")
    ran = run("doctor")
    assert ran.code == 0
    assert "evalharness" in ran.out
    assert "$ANTHROPIC_API_KEY is set" in ran.out
    assert "canary" not in ran.out


def test_cache_stats_prune_and_clear():
    assert run("cache", "stats", "--json").json["entries"] == 0
    assert run("cache", "prune", "--older-than", "30d").out == "removed 0 verdicts\n"
    assert run("cache", "clear", "--yes").code == 0
    assert run("cache", "prune").code == 2
    assert run("cache", "prune", "--older-than", "soon").code == 2


def test_a_cache_that_is_damaged_inside_is_named_and_cleared():
    cache = VerdictCache()
    for number in range(20):
        cache.put(f"{number}", {"text": "x" * 1000})
    cache.close()
    whole = cache.path.read_bytes()
    cache.path.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    for command in (["stats"], ["prune", "--max-size", "1k"], ["prune", "--older-than", "1d"]):
        ran = run("cache", *command)
        assert (ran.code, "can't be used" in ran.err) == (3, True), ran.err
    assert run("cache", "clear", "--yes").out == "removed a damaged cache\n"
    assert run("cache", "stats", "--json").json["entries"] == 0


def test_a_cache_that_another_process_writes_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("evalharness.data.cache.PATIENCE", 0.0)
    cache = VerdictCache()
    cache.put("k", {"text": "4"})
    with closing(sqlite3.connect(cache.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for command in (["clear", "--yes"], ["prune", "--max-size", "0"]):
            ran = run("cache", *command)
            assert (ran.code, "another process" in ran.err) == (3, True), ran.err
    assert cache.get("k") == {"text": "4"}
    cache.close()


def test_runs_list_show_and_remove():
    run("score", SMALL, "--metric", "bleu", "--out", "reports/one")
    listed = run("runs", "list", "--json").json
    assert [(row["folder"], row["dialogues"]) for row in listed] == [("reports/one", 6)]
    assert "bleu" in run("runs", "show", "reports/one").out
    assert run("runs", "rm", "reports", "--yes").code == 2
    assert run("runs", "rm", "reports/one", "--yes").code == 0
    assert not Path("reports/one").exists()


def test_a_run_that_cannot_be_read_is_removed_and_other_files_are_not():
    run("score", SMALL, "--metric", "bleu", "--out", "damaged")
    shutil.copytree("damaged", "newer")
    with closing(sqlite3.connect("newer/run.sqlite")) as ledger:
        ledger.execute("PRAGMA user_version=99")
    whole = Path("damaged/run.sqlite").read_bytes()
    Path("damaged/run.sqlite").write_bytes(whole[: len(whole) // 2])
    Path("foreign").mkdir()
    with closing(sqlite3.connect("foreign/run.sqlite")) as other:
        other.execute("CREATE TABLE t (a)")
    assert run("runs", "show", "damaged").code == 3
    assert run("runs", "rm", "foreign", "--yes").code == 3
    assert run("runs", "rm", "damaged", "newer", "newer", "--yes").out == "removed damaged\nremoved newer\n"
    assert [path.name for path in Path().glob("*/run.sqlite")] == ["run.sqlite"]


def test_report_renders_again_in_every_format():
    run("score", SMALL, "--metric", "bleu", "--out", "r")
    before = {
        name: Path("r", name).read_bytes()
        for name in ("report.json", "scores.jsonl", "scores.csv", "report.html")
    }
    for name in ("json", "jsonl", "csv", "html"):
        assert run("report", "r", "--format", name).code == 0
    assert {name: Path("r", name).read_bytes() for name in before} == before
    printed = run("report", "r", "--format", "json", "--out", "-")
    assert printed.json == json.loads(before["report.json"])
    assert run("report", "nowhere").code == 2


def test_init_writes_a_project_that_works():
    assert run("init", "--judge", "replay:answers.jsonl").code == 0
    assert run("rubric", "lint", "rubrics/my-rubric.yaml").code == 0
    assert run("init").code == 2
    assert "evalharness.yaml" in {path.name for path in Path().iterdir()}
