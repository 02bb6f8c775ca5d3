"""One loaded model: tokenising, the distribution over labels, and text, on the calling thread.

Speaks to llama.cpp's server code inside this process. A call can't be broken off from outside, so every call streams
and is told between two batches whether to stop.
"""

from __future__ import annotations

import http.client
import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

from evalharness.core.canonical import Json
from evalharness.core.scores import Cause
from evalharness.llm.bodies import MalformedBody, as_object, clean_text, count_in, list_in, object_in, text_in
from evalharness.llm.client import ProviderFault, Reply, Request, Usage
from evalharness.llm.local_events import Events, server_fault
from evalharness.llm.local_labels import label_forms, spread
from evalharness.llm.local_prompt import (
    Frame,
    Scaffold,
    Tokens,
    UnusableTemplateError,
    messages,
    prompt_tokens,
    scaffold,
)

_LOG = logging.getLogger("evalharness.llm.local")
_TOP_LOGPROBS = 20
_REMEMBERED_TEXTS = 128
_HTTP_SECONDS = 60
_CERTAIN = 100.0  # added to the logits of allowed tokens: what is left to all others can't be told from 0


class Server(Protocol):
    """What is used of ``xllamacpp.Server``."""

    @property
    def listening_address(self) -> str:
        """Address of its HTTP side on the loopback interface."""
        ...

    def handle_completions(self, body: dict[str, Any], callback: Callable[[object], bool], /) -> object:
        """Complete a prompt; ``callback`` gets every event and returns True to stop."""
        ...


class StoppedError(Exception):
    """The caller asked to stop; there is no answer."""


class Engine:
    """A loaded model. ``complete`` must be called from one thread at a time, ``count_tokens`` may be from any."""

    def __init__(self, server: Server, api_key: str) -> None:
        self._server = server
        self._http = _Http(server.listening_address, api_key)
        self._tokens = lru_cache(maxsize=_REMEMBERED_TEXTS)(self._http.tokenize)
        properties = self._http.ask("GET", "/props")
        self.context_tokens = count_in(object_in(properties, "default_generation_settings"), "n_ctx")
        self._frame = self._http.frame()
        self._end = self._http.tokenize(text_in(properties, "eos_token"), control=True)[-1:]

    def count_tokens(self, text: str) -> int:
        """Exact number of tokens of a text."""
        return len(self._tokens(text))

    def complete(self, request: Request, stop: Callable[[], bool]) -> Reply:
        """The answer to a request; :class:`StoppedError` as soon as ``stop`` is true, faults as for any client."""
        started = time.monotonic()
        try:
            prompt = prompt_tokens(request, self._frame, self._tokens)
            self._check_room(len(prompt), 1 if request.labels else request.max_tokens)
            answer = self._label if request.labels else self._write
            reply = answer(request, prompt, stop)
        except MalformedBody as malformed:
            raise ProviderFault(Cause.PROTOCOL, str(malformed)) from None
        _LOG.debug("%s, %.0f ms", reply.usage, 1000 * (time.monotonic() - started))
        return reply

    def _check_room(self, prompt: int, answer: int) -> None:
        if prompt + answer > self.context_tokens:
            raise ProviderFault(
                Cause.TOO_LONG,
                f"the prompt has {prompt} tokens and the answer may have {answer}, "
                f"more than the {self.context_tokens} of the model's window",
            )

    def _label(self, request: Request, prompt: list[int], stop: Callable[[], bool]) -> Reply:
        """The distribution over the labels; the likeliest is the answer."""
        usages: list[Usage] = []
        roots: list[Mapping[int, float]] = []

        def distribution(begun: Tokens, candidates: Sequence[int]) -> Mapping[int, float]:
            events = self._run([*prompt, *begun], _one_of(candidates), stop)
            usages.append(events.usage)
            shares = events.shares(candidates)
            if not begun:
                roots.append(shares)
            return shares

        paths = {self._tokens(form): label for form, label in label_forms(request.labels).items() if form}
        spreading = spread(paths, self._end[0] if self._end else -1, distribution)
        label_probs = {label: spreading.get(label, 0.0) for label in request.labels}
        return Reply(
            max(request.labels, key=label_probs.__getitem__),
            usage=replace(usages[0], output_tokens=len(usages)) if usages else Usage(),
            label_probs=label_probs,
            label_mass=self._mass(prompt, roots[0], stop) if roots else None,
        )

    def _mass(self, prompt: list[int], shares: Mapping[int, float], stop: Callable[[], bool]) -> float:
        """The probability that the model, left alone, gives to the candidates together.

        Forcing the likeliest one shows its own log-probability; its share among the candidates then gives the whole.
        Only the last token of the prompt is computed again.
        """
        best = max(shares, key=lambda token: (shares[token], -token))
        forced = {"n_predict": 1, "temperature": 0.0, "n_probs": 1, "logit_bias": [[best, _CERTAIN]]}
        tokens = self._run(prompt, forced, stop).tokens()
        return min(1.0, math.exp(tokens[0].logprob) / shares[best]) if tokens else 0.0

    def _write(self, request: Request, prompt: list[int], stop: Callable[[], bool]) -> Reply:
        events = self._run(prompt, _writing(request), stop)
        return Reply(events.text, finish=events.finish, usage=events.usage, tokens=events.tokens())

    def _run(self, prompt: list[int], options: Mapping[str, Any], stop: Callable[[], bool]) -> Events:
        events = Events(stop)
        streaming = {"stream": True, "return_progress": True, "stream_options": {"include_usage": True}}
        self._server.handle_completions(
            {"prompt": prompt, "cache_prompt": True, **streaming, **options}, events
        )
        if events.stopped:
            raise StoppedError
        if events.fault is not None:
            raise events.fault
        return events


def _one_of(candidates: Sequence[int]) -> dict[str, Any]:
    """Options for one token out of the candidates, with the probability of every one of them."""
    return {
        "n_predict": 1,
        "n_probs": len(candidates),
        "logit_bias": [[token, _CERTAIN] for token in sorted(candidates)],
        "post_sampling_probs": True,
        "temperature": 1.0,
        "samplers": [],
        "seed": 0,
    }


def _writing(request: Request) -> dict[str, Any]:
    sampling = request.sampling
    options: dict[str, Any] = {
        "n_predict": request.max_tokens,
        "temperature": sampling.temperature or 0.0,
        "top_p": 1.0 if sampling.top_p is None else sampling.top_p,
        "seed": sampling.seed or 0,
        "n_probs": _TOP_LOGPROBS if request.logprobs else 0,
    }
    if request.schema is None:
        return options
    # Where any white space is allowed, small models write line breaks until they are cut off.
    return {**options, "json_schema": {**request.schema, "x-guidance": {"whitespace_flexible": False}}}


class _Http:
    """The server's HTTP side, which alone can tokenise: straight to loopback, past any proxy, with a secret key."""

    def __init__(self, address: str, api_key: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {api_key}"}

    def tokenize(self, text: str, *, control: bool = False, begin: bool = False) -> Tokens:
        """Token ids of a text. ``control`` reads control tokens as such, ``begin`` adds what begins a prompt."""
        if not text and not begin:
            return ()
        body: dict[str, Json] = {"content": clean_text(text), "parse_special": control, "add_special": begin}
        return tuple(list_in(self.ask("POST", "/tokenize", body), "tokens"))

    def frame(self) -> Frame:
        """What the model's chat template writes around instructions and dialogue."""
        try:
            parts = self._scaffold(with_system=True)
        except (UnusableTemplateError, ProviderFault):
            parts = self._scaffold(with_system=False)
        between = None if parts.between is None else self.tokenize(parts.between, control=True)
        return Frame(
            self.tokenize(parts.head, control=True, begin=True),
            between,
            self.tokenize(parts.tail, control=True),
        )

    def _scaffold(self, *, with_system: bool) -> Scaffold:
        kwargs: dict[str, Json] = {"enable_thinking": False}
        body: dict[str, Json] = {
            "messages": messages(with_system=with_system),
            "chat_template_kwargs": kwargs,
        }
        return scaffold(text_in(self.ask("POST", "/apply-template", body), "prompt"))

    def ask(self, method: str, path: str, body: Mapping[str, Json] | None = None) -> Mapping[str, Any]:
        """One exchange; a :class:`ProviderFault` when the server refuses or does not answer."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=_HTTP_SECONDS)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), self._headers)
            answer = connection.getresponse()
            value = as_object(json.loads(answer.read()), path)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ProviderFault(Cause.SERVER_ERROR, f"{path}: {type(error).__name__}") from error
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise server_fault(object_in(value, "error"))
        return value
