"""What llama.cpp's server code streams back during one completion, checked field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalharness.core.scores import Cause
from evalharness.llm.bodies import MalformedBody, as_object, count_in, list_in, object_in, text_in
from evalharness.llm.client import Finish, ProviderFault, Token, Usage
from evalharness.llm.tokens import read_tokens


@dataclass(slots=True)
class Events:
    """Collects the events of one completion; ``stop`` is asked after each of them, so between batches."""

    stop: Callable[[], bool]
    text: str = ""
    finish: Finish = Finish.STOP
    usage: Usage = field(default_factory=Usage)
    fault: ProviderFault | None = None
    stopped: bool = False
    _logprobs: list[Any] = field(default_factory=list)

    def __call__(self, event: object) -> bool:
        """Take an event in; true tells the server to stop.

        What is raised in a callback is printed and lost, so a fault is kept for the caller.
        """
        try:
            self._take(as_object(event, "event"))
        except MalformedBody as malformed:
            self.fault = ProviderFault(Cause.PROTOCOL, str(malformed))
        self.stopped = self.stopped or self.stop()
        return self.stopped or self.fault is not None

    def _take(self, event: Mapping[str, Any]) -> None:
        if "error" in event:
            self.fault = server_fault(object_in(event, "error"))
            return
        for choice in list_in(event, "choices"):
            part = as_object(choice, "choice")
            self.text += text_in(part, "text")
            self._logprobs.extend(list_in(object_in(part, "logprobs"), "content"))
            if text_in(part, "finish_reason") == "length":
                self.finish = Finish.LENGTH
        if "usage" in event:
            self.usage = _usage(object_in(event, "usage"))

    def tokens(self) -> tuple[Token, ...]:
        """The written tokens with the model's own log-probabilities, where these were asked for."""
        return read_tokens(self._logprobs)

    def shares(self, candidates: Sequence[int]) -> dict[int, float]:
        """The probabilities of the candidates at the first written token, made to sum to 1.

        For completions with ``post_sampling_probs``, whose entries hold ``prob`` instead of log-probabilities.
        """
        first = as_object(self._logprobs[0], "logprobs entry") if self._logprobs else {}
        tops = [as_object(top, "top_probs entry") for top in list_in(first, "top_probs")]
        found = {top.get("id"): top.get("prob") for top in tops}
        shares = {token: _probability(found.get(token)) for token in candidates}
        total = sum(shares.values())
        if total <= 0.0:
            raise MalformedBody("the allowed answers have no probability")
        return {token: share / total for token, share in shares.items()}


def server_fault(error: Mapping[str, Any]) -> ProviderFault:
    """The fault behind an error object; its message is left out because it may quote the prompt."""
    kind = error.get("type")
    name = kind if isinstance(kind, str) and kind.isidentifier() else "an error without a name"
    if name == "exceed_context_size_error":
        return ProviderFault(Cause.TOO_LONG, "the prompt does not fit into the model's window")
    cause = Cause.BAD_REQUEST if name == "invalid_request_error" else Cause.SERVER_ERROR
    return ProviderFault(cause, f"llama.cpp answered with {name}")


def _probability(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0 + 1e-5:
        raise MalformedBody("an allowed answer has no probability")
    return float(value)


def _usage(usage: Mapping[str, Any]) -> Usage:
    return Usage(
        input_tokens=count_in(usage, "prompt_tokens"),
        output_tokens=count_in(usage, "completion_tokens"),
        cached_tokens=count_in(object_in(usage, "prompt_tokens_details"), "cached_tokens"),
    )
