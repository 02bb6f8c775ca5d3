"""A real llama.cpp HTTP server on loopback, in a process of its own, for end-to-end tests of the remote back-ends.

It answers ``/v1/chat/completions`` (honours JSON schemas), ``/v1/responses`` and ``/v1/messages`` (both ignore them).
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from evalharness.errors import EvalHarnessError
from evalharness.llm.local_models import KNOWN_MODELS, installed_path

MODEL = "smollm2"
_START_SECONDS = 120.0
_PROGRAM = """
import sys
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx = int(sys.argv[2]) * int(sys.argv[3])
params.n_parallel = int(sys.argv[3])
params.model_alias = {"smollm2"}
params.n_batch = params.n_ubatch = 128
params.n_gpu_layers = 0
params.warmup = False
params.verbosity = 0
params.ui = False
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


def local_model_path() -> Path:
    """The model file for tests that need a real model; skips the test, saying how to get it, where it is absent.

    ``$EVALHARNESS_TEST_MODEL`` names another GGUF file.
    """
    if find_spec("xllamacpp") is None:
        pytest.skip("xllamacpp is not installed (pip install 'evalharness[local]')")
    named = os.environ.get("EVALHARNESS_TEST_MODEL")
    if named:
        return Path(named)
    try:
        path = installed_path(MODEL)
    except EvalHarnessError as error:
        pytest.skip(f"no folder to look for the local model in: {error}")
    if path is None:
        pytest.skip(
            f"the local model is not here: run `evalharness judges install {KNOWN_MODELS[MODEL].name}`"
        )
    return path


@contextmanager
def llama_server(model_path: Path, *, context_tokens: int = 4096, slots: int = 2) -> Iterator[str]:
    """Serve the model while the context is open; gives the address, ``http://127.0.0.1:PORT``.

    The OpenAI SDK wants ``{address}/v1``, Anthropic's the bare address. ``context_tokens`` is the window of each slot.
    The server ends when its standard input is closed, so it never outlives the tests, and a crash of it can't take
    them down. Skips the test, with llama.cpp's last words, when it does not come up.
    """
    command = [sys.executable, "-P", "-c", _PROGRAM, str(model_path), str(context_tokens), str(slots)]
    environ = {**os.environ, "OMP_WAIT_POLICY": "passive", "GGML_NO_BACKTRACE": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    ) as process:
        try:
            address = _first_line(process)
            if not address.startswith("http://"):
                process.kill()
                words = process.stderr.read()[-500:] if process.stderr else ""
                pytest.skip(
                    f"llama.cpp's server did not come up: {words.strip() or 'no address within 120 s'}"
                )
            yield address
        finally:
            _end(process)


def _first_line(process: subprocess.Popen[str]) -> str:
    """The first line of its output; empty when there is none in time or the process ends."""
    assert process.stdout is not None
    deadline = time.monotonic() + _START_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if selector.select(max(0.0, deadline - time.monotonic())):
            return process.stdout.readline().strip()
    return ""


def _end(process: subprocess.Popen[str]) -> None:
    """Close its input, which it waits for; kill it if that is not enough."""
    if process.stdin is not None and not process.stdin.closed:
        process.stdin.close()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
