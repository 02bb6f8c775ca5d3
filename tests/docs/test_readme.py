"""README.md: its links lead somewhere, its commands exist, its Python runs, its output is real."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest

from evalharness.cli import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: Path):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://", "#")):
            continue
        name, _, anchor = target.partition("#")
        linked = page.parent / name
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor and linked.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name} links to {target}"


def _commands(text: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ evalharness")]
    return [line.split(" #")[0].strip() for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page: Path):
    for line in _commands(page.read_text(encoding="utf-8")):
        words = shlex.split(line)[1:]
        context = click.Context(cli, info_name="evalharness")
        command: click.Command = cli
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            found = command.get_command(context, words[0])
            assert found is not None, line
            command, words = found, words[1:]
        known = {name for option in command.params for name in option.opts} | {"-h", "--help"}
        if command is cli:
            known.add("--version")
        for word in words:
            if word.startswith("-") and word != "-":
                assert word.split("=")[0] in known, line


def test_the_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a b", "references": ["a b"]},
    ]
    Path("logs.jsonl").write_text(json.dumps({"id": "x", "messages": messages}) + "\n")
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README", "exec"), {})
    assert "bleu 100.0" in capsys.readouterr().out


def test_the_first_screen_has_the_two_commands_real_output_and_a_picture():
    top = README.split("## On your own logs")[0]
    assert "make demo" in top
    assert "make test" in top
    output = re.search(r"<!-- demo output -->\n```console\n(.*?)```\n<!-- end", top, re.DOTALL)
    assert output is not None
    assert "report: reports/demo/report.html" in output[1]
    assert "helpfulness · local:smollm2" in output[1]
    assert "toy judge" in output[1]
    picture = re.search(r"!\[.*?\]\((.*?)\)", top)
    assert picture is not None
    assert (ROOT / picture[1]).stat().st_size > 10_000
