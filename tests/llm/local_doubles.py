"""A stand-in for llama.cpp's server: a real HTTP side on loopback, one token per character, scripted answers.

Contract: control tokens are ``<s>`` and ``</s>``; the template is ``<s>system\\n…</s><s>user\\n…</s><s>assistant\\n``.
A completion that is biased towards tokens answers by ``weights``: the weight of a token is that of its character.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BEGIN, END = 0x110000, 0x110001
_CONTROL = {"<s>": BEGIN, "</s>": END}
_PIECES = re.compile("(</?s>)")
KEY = "key of the test"


@dataclass
class FakeServer:
    """What ``Engine`` uses of ``xllamacpp.Server``. ``bodies`` are the completions that were asked for."""

    listening_address: str
    weights: Mapping[str, float] = field(default_factory=dict)
    mass: float = 0.5
    text: str = "text"
    finish: str = "stop"
    events: list[dict[str, Any]] | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def handle_completions(self, body: dict[str, Any], callback: Callable[[object], bool]) -> None:
        self.bodies.append(body)
        events = self.events if self.events is not None else [*self._events(body)]
        for event in events:
            if callback(event):
                return

    def _events(self, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"choices": [{"text": "", "logprobs": None, "finish_reason": None}], "prompt_progress": {}}
        if not body.get("logit_bias"):
            yield _choice(self.text, None, None)
        elif body.get("post_sampling_probs"):
            yield _choice("?", {"content": [{"top_probs": self._tops(body)}]}, None)
        else:
            yield _choice(
                "?",
                {"content": [{"token": "?", "logprob": math.log(self._own(body)), "top_logprobs": []}]},
                None,
            )
        usage = {"prompt_tokens": len(body["prompt"]), "completion_tokens": 1}
        yield {
            **_choice("", None, self.finish),
            "usage": {**usage, "prompt_tokens_details": {"cached_tokens": 3}},
        }

    def _weight(self, token: int) -> float:
        return self.weights.get("end" if token == END else chr(token), 0.0)

    def _tops(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        tokens = [token for token, _ in body["logit_bias"]]
        total = sum(self._weight(token) for token in tokens) or 1.0
        return [{"id": token, "prob": self._weight(token) / total} for token in tokens]

    def _own(self, body: Mapping[str, Any]) -> float:
        return self._weight(body["logit_bias"][0][0]) / sum(self.weights.values()) * self.mass


def tokens_of(text: str, *, control: bool = False) -> list[int]:
    """The token ids that the stand-in gives to a text."""
    found: list[int] = []
    for piece in _PIECES.split(text):
        if control and piece in _CONTROL:
            found.append(_CONTROL[piece])
        else:
            found.extend(map(ord, piece))
    return found


@contextmanager
def fake_server(
    *, with_system: bool = True, template: str | None = None, window: int = 400
) -> Iterator[FakeServer]:
    """A stand-in whose HTTP side answers while the context is open."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({"default_generation_settings": {"n_ctx": window}, "eos_token": "</s>"})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path == "/tokenize":
                ids = tokens_of(body["content"], control=body["parse_special"])
                self._answer({"tokens": [BEGIN, *ids] if body["add_special"] else ids})
            else:
                self._template(body["messages"])

        def _template(self, messages: list[dict[str, str]]) -> None:
            if not with_system and messages[0]["role"] == "system":
                self._answer({"error": {"type": "server_error", "message": "no system role"}}, 500)
                return
            shown = "".join(f"<s>{m['role']}\n{m['content']}</s>" for m in messages)
            self._answer({"prompt": f"{shown}<s>assistant\n" if template is None else template})

        def _answer(self, value: object, status: int = 200) -> None:
            allowed = self.headers.get("authorization") == f"Bearer {KEY}"
            raw = json.dumps(value if allowed else {"error": {"type": "authentication_error"}}).encode()
            self.send_response(status if allowed else 401)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Nothing is written to stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield FakeServer(f"http://127.0.0.1:{http.server_port}")
        finally:
            http.shutdown()
            thread.join()


def _choice(text: str, logprobs: object, finish: str | None) -> dict[str, Any]:
    return {"choices": [{"text": text, "logprobs": logprobs, "finish_reason": finish}]}
