"""One measured run of promptfoo's llm-rubric: `peer_promptfoo.py URL DIALOGUES.jsonl IN_FLIGHT` (promptfoo on PATH).

Replies are given through the provider `echo`, a judge model grades each. Printed is a JSON object with seconds of wall
time, the version, and the items graded. The time is that of the whole command `promptfoo eval` with its output file,
less that of the same command over one test: start-up is left out, and with it one answer's latency.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RUBRIC = "The reply moves the customer's problem forward. The customer wrote: {{ask}}"
QUIET = {
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_SHARING": "1",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    "PROMPTFOO_CACHE_ENABLED": "false",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1",
}
"""What keeps it from asking anyone but our server, and from answering out of a cache.

Told to send no telemetry it still reports that it was told so, hence the proxy that is not there.
"""


def config(url: str, rows: list[list[dict[str, str]]]) -> dict[str, Any]:
    """Promptfoo's configuration: one test for each dialogue."""
    judge = {"id": "openai:chat:judge", "config": {"apiBaseUrl": url, "apiKey": "none"}}
    return {
        "prompts": ["{{reply}}"],
        "providers": ["echo"],
        "defaultTest": {
            "options": {"provider": judge},
            "assert": [{"type": "llm-rubric", "value": RUBRIC}],
        },
        "tests": [{"vars": {"ask": m[0]["content"], "reply": m[1]["content"]}} for m in rows],
    }


def evaluated(
    folder: Path, url: str, rows: list[list[dict[str, str]]], in_flight: str
) -> tuple[float, dict[str, Any]]:
    """Seconds that the command takes over some dialogues, and what it wrote."""
    folder.mkdir()
    path, out = folder / "config.json", folder / "out.json"
    path.write_text(json.dumps(config(url, rows)))
    command = ["promptfoo", "eval", "-c", str(path), "-j", in_flight, "-o", str(out)]
    command += ["--no-cache", "--no-table", "--no-progress-bar", "--no-share"]
    environment = {**os.environ, **QUIET, "PROMPTFOO_CONFIG_DIR": str(folder / "state")}
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=sys.stderr)
    wall = time.perf_counter() - start
    return wall, json.loads(out.read_text())


def main(url: str, dialogues: str, in_flight: str) -> None:
    rows = [json.loads(line)["messages"] for line in Path(dialogues).read_text().splitlines()]
    with tempfile.TemporaryDirectory() as scratch:
        start_up, _ = evaluated(Path(scratch) / "one", url, rows[:1], in_flight)
        whole, found = evaluated(Path(scratch) / "all", url, rows, in_flight)
    graded = [test for test in found["results"]["results"] if test["gradingResult"]["componentResults"]]
    passed = found["results"]["stats"]["successes"]
    assert len(graded) == passed == len(rows), f"{len(graded)} graded, {passed} passed of {len(rows)}"
    version = found["metadata"]["promptfooVersion"]
    print(json.dumps({"wall": whole - start_up, "items": len(graded), "version": version}))


if __name__ == "__main__":
    main(*sys.argv[1:])
