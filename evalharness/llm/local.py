"""The ``local`` back-end: a GGUF model in this process, run by llama.cpp on the processor. No key, no network.

The only importer of xllamacpp. A model is loaded at its first use and asked by one thread, one question after the
other: on a processor nothing is gained by asking in parallel, and questions about one dialogue share the computation
of their common beginning.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from evalharness.core.canonical import Json
from evalharness.core.registry import unknown_name
from evalharness.core.scores import Cause
from evalharness.core.text import one_line
from evalharness.errors import MissingDependencyError, UsageError
from evalharness.llm.bodies import MalformedBody
from evalharness.llm.client import Capabilities, ProviderFault, Reply, Request
from evalharness.llm.faults import same_fault
from evalharness.llm.local_engine import Engine, StoppedError
from evalharness.llm.local_gguf import read_context_length
from evalharness.llm.local_models import ModelFile, find_model
from evalharness.llm.local_prompt import UnusableTemplateError

_LOG = logging.getLogger("evalharness.llm.local")

_ADAPTER = 1  # part of cache keys: raise it when the same request would be put to the model in another way
_DEFAULT_CONTEXT = 8192
_LEAST_CONTEXT = 512
_BATCH = 128  # tokens computed between two looks at whether to stop: half a second on two processors
_PROMPT_CACHE_MIB = 512
_SMALL_BYTES = 1 << 30  # about two thousand million parameters at four bits
_TRIAL = "import sys; from evalharness.llm.local import trial; trial(sys.argv[1], int(sys.argv[2]))"
_TRIAL_SECONDS = 900
_COMPLAINT = re.compile(r"^[\d.]+ E +\S* *\S+: *")


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """Options of the ``local`` back-end.

    ``context_tokens``: the window to set up, at most what the model was trained for. ``threads``: processor threads; 0
    uses what this process may use.
    """

    context_tokens: int = _DEFAULT_CONTEXT
    threads: int = 0

    def __post_init__(self) -> None:
        if not _LEAST_CONTEXT <= self.context_tokens <= 1 << 20:
            raise UsageError(
                f"context_tokens is {self.context_tokens}", fix=f"Give at least {_LEAST_CONTEXT}."
            )
        if not 0 <= self.threads <= 1024:
            raise UsageError(f"threads is {self.threads}", fix="Give a number of processor threads, or 0.")


def make_local(model: str, options: Mapping[str, Json]) -> LocalClient:
    """The client of ``local:MODEL``, where MODEL is a known name or the path of a GGUF file. Nothing is loaded yet.

    Raises UsageError (options), InputError (no such file, or no GGUF), MissingDependencyError (xllamacpp or the model
    is not installed).
    """
    read = _read_options(options)
    _library()
    return LocalClient(model, find_model(model), read)


class LocalClient:
    """A model in this process."""

    backend: ClassVar[str] = "local"

    def __init__(self, model: str, file: ModelFile, options: LocalOptions | None = None) -> None:
        self._model = model
        self._file = file
        self._options = options or LocalOptions()
        trained = read_context_length(file.path)
        self._context = min(self._options.context_tokens, trained or self._options.context_tokens)
        self._small = file.path.stat().st_size < _SMALL_BYTES
        self._warnings: dict[str, None] = {}
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._broken: ProviderFault | None = None
        self._closing = threading.Event()
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="evalharness-local")

    def __repr__(self) -> str:
        return f"<LocalClient {self._file.path.name}>"

    @property
    def model(self) -> str:
        """The model as the user named it."""
        return self._model

    @property
    def endpoint(self) -> str:
        """Empty: nothing leaves this process."""
        return ""

    @property
    def identity(self) -> Mapping[str, Json]:
        """The model file's content, the library, and the window: not the file's name or place."""
        return {
            "backend": self.backend,
            "weights": self._file.sha256,
            "library": f"xllamacpp {version('xllamacpp')}",
            "context_tokens": self._context,
            "adapter": _ADAPTER,
        }

    @property
    def capabilities(self) -> Capabilities:
        """Small models are asked one criterion at a time and count as toys."""
        return Capabilities(
            schema=True,
            labels=True,
            logprobs=True,
            context_tokens=self._context,
            one_criterion_at_a_time=self._small,
            toy=self._small,
            max_parallel=1,
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """Options that were left out so far."""
        return tuple(self._warnings)

    def count_tokens(self, text: str) -> int:
        """Exact; loads the model. An estimate where it can't be loaded, which the next request will say."""
        try:
            return self._loaded().count_tokens(text)
        except ProviderFault:
            return -(-len(text) // 4)

    async def complete(self, request: Request) -> Reply:
        """One attempt, in the worker thread; when cancelled, the computation ends after the batch at hand."""
        if request.sampling.effort is not None:
            self._warnings["effort was left out: local models do not take it"] = None
        stop = threading.Event()
        answer = asyncio.get_running_loop().run_in_executor(self._worker, self._answer, request, stop)
        try:
            return await answer
        except StoppedError:
            raise ProviderFault(Cause.SERVER_ERROR, "the local model was closed") from None
        finally:
            stop.set()

    async def close(self) -> None:
        """Unload the model and end the worker thread; a computation in flight ends after its batch."""
        self._closing.set()
        await asyncio.to_thread(self._worker.shutdown, wait=True, cancel_futures=True)
        with self._lock:
            self._engine = None

    def _answer(self, request: Request, stop: threading.Event) -> Reply:
        reply = self._loaded().complete(request, lambda: stop.is_set() or self._closing.is_set())
        return replace(reply, model=self._model)

    def _loaded(self) -> Engine:
        with self._lock:
            if self._broken is not None:
                raise same_fault(self._broken)
            if self._engine is None:
                self._engine = self._load()
            return self._engine

    def _load(self) -> Engine:
        started = time.monotonic()
        try:
            if not self._file.trusted:
                _try_in_child(self._file, self._context)
            engine = _start(str(self._file.path), self._context, self._options.threads)
        except ProviderFault as fault:
            self._broken = fault
            raise
        _LOG.info(
            "loaded %s (%s): window %d, %.1f s",
            one_line(self._file.path.name),
            self._file.sha256[:12],
            engine.context_tokens,
            time.monotonic() - started,
        )
        return engine


def trial(path: str, context_tokens: int) -> None:
    """Load a model and let it write one token, llama.cpp's complaints going to stderr; for a child process."""
    engine = _start(path, context_tokens, 0, verbosity=1)
    engine.complete(Request("", "Hello", "", max_tokens=1), lambda: False)


def server_parameters(path: str, context_tokens: int, threads: int = 0, verbosity: int = 0) -> Any:
    """How llama.cpp is set up here. ``verbosity`` 0 keeps it silent, 1 lets errors through to stderr.

    The beginning of a prompt is often known from another question, so that the rest is computed in batches of any
    size. With flash attention or a cache in half precision llama.cpp rounds differently by size of batch, which was
    seen to move probabilities by .03. Without the former and with bfloat16 answers are equal to the last bit.
    """
    xllamacpp = _library()
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx = context_tokens
    params.n_parallel = 1
    params.n_batch = params.n_ubatch = _BATCH
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_BF16
    params.cache_ram_mib = _PROMPT_CACHE_MIB
    params.n_gpu_layers = 0
    params.warmup = False
    params.verbosity = verbosity
    params.ui = False
    params.endpoint_slots = False
    for processors in (params.cpuparams, params.cpuparams_batch):
        processors.n_threads = threads or usable_threads()
    return params


def usable_threads() -> int:
    """Threads for the processors that this process may use; -1 leaves the choice to llama.cpp where all are its own.

    Looks at the affinity and at the quota of a container, which llama.cpp does not.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _container_quota()
    if quota is None and allowed == os.cpu_count():
        return -1
    return max(1, min(allowed, quota or allowed))


def _container_quota() -> int | None:
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return None if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _library() -> ModuleType:
    # OpenMP threads that wait by spinning take twice the processor time; on busy cores calls were 20 times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import xllamacpp
    except ModuleNotFoundError as error:
        if error.name != "xllamacpp":
            raise
        raise MissingDependencyError(
            "the local judge needs xllamacpp", fix="Run: pip install 'evalharness[local]'"
        ) from None
    except ImportError as error:
        raise MissingDependencyError(
            f"xllamacpp can't be used on this machine: {one_line(str(error))}",
            fix="On slim Linux images the package libgomp1 is often what is missing",
        ) from error
    return xllamacpp  # type: ignore[no-any-return]


def _start(path: str, context_tokens: int, threads: int, verbosity: int = 0) -> Engine:
    xllamacpp = _library()
    params = server_parameters(path, context_tokens, threads, verbosity)
    key = secrets.token_urlsafe(32)
    # Its HTTP side listens on loopback, where other users of the machine could reach it.
    params.api_keys = [key]
    try:
        return Engine(xllamacpp.Server(params), key)
    except (UnusableTemplateError, MalformedBody) as error:
        raise _unloadable(str(error)) from None
    except RuntimeError:
        raise _unloadable("llama.cpp refuses it, perhaps for want of memory") from None


def _try_in_child(file: ModelFile, context_tokens: int) -> None:
    """Load the model in a child process first: llama.cpp ends the whole process on some damaged files."""
    ours = str(Path(__file__).resolve().parents[2])
    environ = {
        **os.environ,
        "GGML_NO_BACKTRACE": "1",
        "PYTHONPATH": os.pathsep.join([ours, *filter(None, sys.path)]),
    }
    command = [sys.executable, "-P", "-c", _TRIAL, str(file.path), str(context_tokens)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TRIAL_SECONDS,
            env=environ,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _unloadable(f"loading it takes longer than {_TRIAL_SECONDS} s") from None
    if done.returncode != 0:
        raise _unloadable(_complaint(done.stderr.decode("utf-8", "replace")))


def _complaint(stderr: str) -> str:
    """The first thing that llama.cpp complains of; later lines follow from it."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if _COMPLAINT.match(line) or "GGML_ASSERT" in line] or lines[-1:]
    return one_line(_COMPLAINT.sub("", telling[0])) if telling else "llama.cpp ended the trial process"


def _unloadable(reason: str) -> ProviderFault:
    return ProviderFault(Cause.MODEL_NOT_FOUND, f"the model file can't be loaded: {reason}", fatal=True)


def _read_options(given: Mapping[str, Json]) -> LocalOptions:
    known = [option.name for option in fields(LocalOptions)]
    for name, value in given.items():
        if name not in known:
            raise unknown_name("option of the local back-end", name, known)
        if isinstance(value, bool) or not isinstance(value, int):
            raise UsageError(f"local option {name} is not a whole number")
    return LocalOptions(**{name: value for name, value in given.items() if isinstance(value, int)})
