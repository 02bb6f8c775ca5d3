"""Prompts as token ids, so that no text of a dialogue can pass for a control token of the model's chat template.

llama.cpp reads ``<|im_end|>`` in a prompt as the token that ends a message, wherever it stands. Here the template is
rendered around placeholders; only what the template itself wrote is tokenised with control tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from evalharness.llm.client import Request

Tokens: TypeAlias = tuple[int, ...]

SYSTEM_MARK = "EVALHARNESS-PLACE-OF-INSTRUCTIONS"
USER_MARK = "EVALHARNESS-PLACE-OF-DIALOGUE"


class UnusableTemplateError(ValueError):
    """A chat template that does not show the texts it is given exactly once, in order."""


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What the chat template writes around the texts. ``between`` is None for models without a system message."""

    head: str
    between: str | None
    tail: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A scaffold as token ids."""

    head: Tokens
    between: Tokens | None
    tail: Tokens


def messages(*, with_system: bool) -> list[dict[str, str]]:
    """The placeholder messages to render the model's template with."""
    user = {"role": "user", "content": USER_MARK}
    return [{"role": "system", "content": SYSTEM_MARK}, user] if with_system else [user]


def scaffold(rendered: str) -> Scaffold:
    """The scaffold in a rendered template; :class:`UnusableTemplateError` when the placeholders are not in it."""
    before, user, tail = rendered.partition(USER_MARK)
    head, system, between = before.partition(SYSTEM_MARK)
    if not user or USER_MARK in tail or SYSTEM_MARK in between + tail:
        raise UnusableTemplateError("the model's chat template does not show each message exactly once")
    return Scaffold(head, between if system else None, tail)


def prompt_tokens(request: Request, frame: Frame, tokenize: Callable[[str], Tokens]) -> list[int]:
    """The request as token ids, part by part, so that equal parts give equal beginnings.

    ``tokenize`` must read control tokens as words.
    """
    instructions = request.system
    if frame.between is None and instructions:
        instructions += "\n\n"
    return [
        *frame.head,
        *tokenize(instructions),
        *(frame.between or ()),
        *tokenize(request.shared),
        *tokenize(request.ask),
        *frame.tail,
    ]
