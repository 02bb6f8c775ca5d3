"""A server as the system under test: OpenAI's chat completions, or any JSON API by a template."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from evalharness.core.dialogue import Message
from evalharness.llm.http import bounded_client
from evalharness.play.target import Asked, TargetCause, TargetError, read_reply

_MAX_BODY = 16_000_000


@dataclass(frozen=True, slots=True)
class Template:
    """How a JSON API is asked: ``body`` with ``$messages``, ``$last`` (what the user said last), ``$scenario`` and
    ``$trial`` standing for values, and ``reply``, the dotted path of the reply in the answer."""

    body: Any
    reply: str
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def chat(cls, model: str) -> Template:
        """OpenAI's chat completions."""
        return cls({"model": model, "messages": "$messages"}, "choices.0.message")

    def fill(self, asked: Asked) -> Any:
        """The body of a request; a value of the conversation is never looked at again."""
        values = {
            "$messages": list(asked.messages),
            "$last": next((m["content"] for m in reversed(asked.messages) if m.get("role") == "user"), ""),
            "$scenario": asked.scenario,
            "$trial": asked.trial,
        }
        return _filled(self.body, values)

    def find(self, answer: Any) -> Any:
        """The reply in an answer; :class:`TargetError` where the path leads nowhere."""
        found = answer
        for part in self.reply.split(".") if self.reply else ():
            if isinstance(found, Mapping) and part in found:
                found = found[part]
            elif (
                isinstance(found, Sequence)
                and not isinstance(found, str)
                and part.isdigit()
                and int(part) < len(found)
            ):
                found = found[int(part)]
            else:
                raise TargetError(TargetCause.BAD_REPLY, f"the answer has nothing at {self.reply!r}")
        return found


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return values.get(value, value)
    if isinstance(value, Mapping):
        return {key: _filled(each, values) for key, each in value.items()}
    return [_filled(each, values) for each in value] if isinstance(value, list) else value


@dataclass
class HttpTarget:
    """Posts to ``url``. Redirects are not followed, bodies are bounded, ``key`` goes to this host only."""

    url: str
    template: Template
    timeout: float
    key: str = field(default="", repr=False)
    _client: httpx2.AsyncClient | None = field(default=None, init=False, repr=False)

    async def reply(self, asked: Asked) -> tuple[Message, ...]:
        """One request, one reply; the deadline is for the whole of it."""
        headers = {**self.template.headers, **({"Authorization": f"Bearer {self.key}"} if self.key else {})}
        try:
            async with asyncio.timeout(self.timeout):
                response = await self._http().post(self.url, json=self.template.fill(asked), headers=headers)
        except TimeoutError:
            raise TargetError(TargetCause.TIMEOUT, f"no answer within {self.timeout:g} s") from None
        except (httpx2.HTTPError, OSError) as fault:
            raise TargetError(TargetCause.CONNECTION, type(fault).__name__) from None
        if response.status_code != 200:
            raise TargetError(TargetCause.HTTP_ERROR, f"status {response.status_code}")
        try:
            answer = json.loads(response.content)
        except ValueError:
            raise TargetError(TargetCause.BAD_REPLY, "the answer is not JSON") from None
        return read_reply(self.template.find(answer))

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _http(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = bounded_client(
                httpx2.AsyncClient,
                read_timeout=self.timeout,
                connect_timeout=min(10.0, self.timeout),
                max_body=_MAX_BODY,
            )
        return self._client
