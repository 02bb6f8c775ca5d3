"""Other harnesses beside ours, each installed into an environment of its own for one run of `performance.py --peers`.

What an item costs them is one request for one grade, without evidence, so their times are a hint, not a ratio.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

BENCH = Path(__file__).resolve().parent
REASON = "The reply says where the parcel is."


@dataclass(frozen=True)
class Peer:
    """A harness: our script, what the server answers it, and what is installed with which installer."""

    script: str
    answer: str
    packages: tuple[str, ...]
    installer: Literal["pip", "npm"] = "pip"

    def commands(self, home: Path) -> list[list[str]]:
        """What installs it into a folder."""
        if self.installer == "npm":
            quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts", "--omit=optional"]
            return [["npm", "install", "--prefix", str(home), *quiet, *self.packages]]
        pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        return [[sys.executable, "-m", "venv", str(home)], [*pip, *self.packages]]

    def program(self, home: Path) -> str:
        """The interpreter of its script: its own, or ours where it is not written in Python."""
        return str(home / "bin" / "python") if self.installer == "pip" else sys.executable

    def environment(self, home: Path) -> dict[str, str]:
        """Its programs are found first, and what it leaves in a home folder is left in its own."""
        programs = home / "bin" if self.installer == "pip" else home / "node_modules" / ".bin"
        return {**os.environ, "HOME": str(home), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


PEERS = {
    "inspect_ai": Peer("peer_inspect.py", f"{REASON}\n\nGRADE: C", ("inspect_ai", "openai")),
    "deepeval": Peer("peer_deepeval.py", json.dumps({"reason": REASON, "score": 8}), ("deepeval",)),
    # The last series that runs on Node 20. Of its optional packages, 1.6 GB, only the database's is needed.
    "promptfoo": Peer(
        "peer_promptfoo.py",
        json.dumps({"reason": REASON, "pass": True, "score": 0.8}),
        ("promptfoo@0.121", "@libsql/linux-x64-gnu@0.5"),
        "npm",
    ),
}


def texts() -> dict[str, str]:
    """What the server answers to whom."""
    return {name: peer.answer for name, peer in PEERS.items()}


def installed(peer: Peer, home: Path) -> str:
    """Install a peer; why it could not be, or nothing."""
    home.mkdir()
    for command in peer.commands(home):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return f"there is no {command[0]}"
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "error" in line.lower()]
            return next(iter(errors), f"{command[0]} ended with {done.returncode}")
    return ""


def measured(peer: Peer, home: Path, arguments: Sequence[object]) -> dict[str, Any]:
    """One run of a peer's script: what it printed last."""
    command = [peer.program(home), str(BENCH / peer.script), *map(str, arguments)]
    done = subprocess.run(command, env=peer.environment(home), check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{peer.script} ended with {done.returncode}:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def compare(folder: Path, url: str, dialogues: Path, in_flight: int, rounds: int) -> list[str]:
    """Print and return a row for each peer, for which there is no bar; one that can't be installed is a line."""
    rows = []
    for name, peer in PEERS.items():
        home = folder / name
        if reason := installed(peer, home):
            print(f"{name}: not measured, as it could not be installed: {reason}", flush=True)
            continue
        runs = [measured(peer, home, (f"{url}/{name}/v1", dialogues, in_flight)) for _ in range(rounds)]
        walls = [run["wall"] for run in runs]
        rows.append(
            f"| {name} {runs[0]['version']}, {runs[0]['items']:,} items, {in_flight} in flight | no bar "
            f"| {statistics.median(walls):.2f} s ({min(walls):.2f}–{max(walls):.2f}) | |"
        )
        print(rows[-1], flush=True)
    return rows
