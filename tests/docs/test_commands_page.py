"""docs/commands.md is what the commands say of themselves, and the lazy table says the same in short."""

from __future__ import annotations

import importlib.util
from importlib import import_module
from pathlib import Path

import pytest

from evalharness.cli import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"


def _maker():
    spec = importlib.util.spec_from_file_location("make_commands", DOCS / "make_commands.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_current():
    text = _maker().page()
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == text, "run: python docs/make_commands.py"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_short_help_of_the_group_fits_the_command(name: str):
    module, short = COMMANDS[name]
    command = import_module(module).command
    assert command.name == name
    assert command.help, name
    assert short.endswith(".")
