"""What `doctor` finds out about the machine, without a network and without showing a key."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path
from typing import Literal

from evalharness.api.version import version
from evalharness.data.builtin import builtin_folder
from evalharness.data.cache import cache_folder
from evalharness.errors import EvalHarnessError
from evalharness.llm.keys import ANTHROPIC, AZURE, OPENAI
from evalharness.llm.local_models import KNOWN_MODELS, installed_path

_NEEDED = (
    "click",
    "openai",
    "anthropic",
    "sacrebleu",
    "rouge-score",
    "jsonlines",
    "numpy",
    "scipy",
    "pydantic",
)
_OPTIONAL = {"xllamacpp": "local", "pyarrow": "parquet", "aiohttp": "fast", "ray": "ray"}
_OLDEST_SQLITE = (3, 24, 0)


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about the machine: ``ok``, a ``note`` (something optional is absent) or ``bad``."""

    state: Literal["ok", "note", "bad"]
    what: str
    detail: str
    advice: str = ""


def examine() -> list[Finding]:
    """Everything worth knowing before a run."""
    return [*_programs(), *_packages(), *_keys(), *_models(), *_folders()]


def _programs() -> Iterator[Finding]:
    yield Finding("ok", "evalharness", version())
    old = sys.version_info < (3, 11)
    yield Finding(
        "bad" if old else "ok", "Python", platform.python_version(), "3.11 or newer is needed" if old else ""
    )
    stale = sqlite3.sqlite_version_info < _OLDEST_SQLITE
    yield Finding("bad" if stale else "ok", "SQLite", sqlite3.sqlite_version)


def _packages() -> Iterator[Finding]:
    for name in _NEEDED:
        found = _version(name)
        state: Literal["ok", "bad"] = "ok" if found else "bad"
        yield Finding(state, name, found or "not installed", "" if found else "install evalharness again")
    for name, extra in _OPTIONAL.items():
        found = _version(name)
        advice = "" if found else f"pip install 'evalharness[{extra}]'"
        yield Finding("ok" if found else "note", name, found or "not installed", advice)


def _keys() -> Iterator[Finding]:
    for provider in (OPENAI, ANTHROPIC, AZURE):
        held = [name for name in provider.keys if os.environ.get(name)]
        names = " or ".join(provider.keys)
        if held:
            yield Finding("ok", f"key for {provider.name}", f"${held[0]} is set")
        else:
            yield Finding("note", f"key for {provider.name}", "none", f"set {names} to use its judges")
        if os.environ.get(provider.address):
            yield Finding(
                "note", f"address of {provider.name}", f"${provider.address} is set: requests go there"
            )


def _models() -> Iterator[Finding]:
    for name, model in KNOWN_MODELS.items():
        path = installed_path(name)
        advice = "" if path else f"evalharness judges install {name}"
        yield Finding(
            "ok" if path else "note", f"local model {name}", str(path or f"{model.title}: not there"), advice
        )


def _folders() -> Iterator[Finding]:
    for kind in ("rubrics", "datasets"):
        try:
            yield Finding("ok", f"built-in {kind}", str(builtin_folder(kind)))
        except EvalHarnessError as error:
            yield Finding("bad", f"built-in {kind}", str(error))
    folder = cache_folder()
    usable = os.access(_existing(folder), os.W_OK)
    yield Finding(
        "ok" if usable else "bad", "cache folder", str(folder), "" if usable else "it can't be written"
    )


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _version(name: str) -> str | None:
    try:
        return installed(name)
    except PackageNotFoundError:
        return None
