"""Starting up is cheap: nothing heavy is imported before a command needs it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "numpy", "scipy", "openai", "anthropic", "sacrebleu", "rouge_score", "nltk", "pydantic", "jinja2", "rich", "yaml",
    "xllamacpp", "httpx2", "genai_prices", "sqlite3", "asyncio", "rapidfuzz",
)  # fmt: skip


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom evalharness.cli import cli\n"
        "try: cli(['--help'], standalone_mode=False)\nexcept SystemExit: pass\n"
        "print('LOADED', *sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "score" in done.stdout
    loaded = set(done.stderr.split("LOADED")[1].split())
    assert loaded & set(HEAVY) == set()


def test_importing_the_package_starts_nothing():
    code = (
        "import sys, socket, subprocess\n"
        "def no(*a, **k): raise AssertionError('called at import')\n"
        "socket.socket.connect = no; subprocess.Popen.__init__ = no\n"
        "import evalharness\nfor name in evalharness.__all__: getattr(evalharness, name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
