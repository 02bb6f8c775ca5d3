"""Which dialect a file is in: asked for by name, or recognised by the shape of its first records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from evalharness.core.registry import READERS, load_plugin, plugins, unknown_name
from evalharness.data.readers.anthropic_messages import AnthropicReader
from evalharness.data.readers.fed import FEDReader
from evalharness.data.readers.interface import Reader
from evalharness.data.readers.mt_bench import MTBenchReader
from evalharness.data.readers.native import NativeReader
from evalharness.data.readers.openai_chat import OpenAIChatReader
from evalharness.data.readers.responses import ResponsesReader
from evalharness.data.readers.sharegpt import ShareGPTReader
from evalharness.data.readers.tau_bench import TauBenchReader
from evalharness.data.readers.turns import TurnsReader
from evalharness.data.readers.usr import USRReader
from evalharness.data.reading import Record
from evalharness.data.words import quoted
from evalharness.errors import InputError, Problem

_SPECIFIC: tuple[Callable[[], Reader], ...] = (
    OpenAIChatReader,
    ResponsesReader,
    AnthropicReader,
    ShareGPTReader,
    TurnsReader,
    MTBenchReader,
    USRReader,
    FEDReader,
    TauBenchReader,
)
_BUILT_IN: dict[str, Callable[[], Reader]] = {make().name: make for make in (NativeReader, *_SPECIFIC)}
_SHOWN_FIELDS = 12


def dialect_names() -> tuple[str, ...]:
    """Names of all dialects, built in and from plug-ins."""
    return (*_BUILT_IN, *sorted(plugins(READERS)))


def reader_named(name: str) -> Reader:
    """A reader by the name of its dialect; raises ``UsageError`` for an unknown one."""
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    made = load_plugin(READERS, name)
    if made is None:
        raise unknown_name("format", name, dialect_names())
    return cast(Reader, made())


def recognised(sample: Sequence[Record], source: str) -> Reader:
    """The reader for a file by its first records.

    A dialect that any of them shows wins over the plain native form, which every reader of chats also reads. Raises
    ``InputError`` when none fits or several do.
    """
    if not sample:
        return NativeReader()
    specific = _fitting((reader() for reader in _SPECIFIC), sample)
    if len(specific) > 1:
        raise _ambiguous(specific, source)
    found = specific or _fitting((NativeReader(),), sample) or _fitting(_plugged_in(), sample)
    if len(found) > 1:
        raise _ambiguous(found, source)
    if not found:
        raise _unknown(sample[0].value, source)
    return found[0]


def _fitting(readers: Iterable[Reader], sample: Sequence[Record]) -> list[Reader]:
    return [reader for reader in readers if any(reader.recognises(record.value) for record in sample)]


def _plugged_in() -> list[Reader]:
    return [reader_named(name) for name in plugins(READERS)]


def _ambiguous(readers: Sequence[Reader], source: str) -> InputError:
    names = " and ".join(reader.name for reader in readers)
    fix = f"Say which it is: --format {readers[0].name}."
    return InputError(Problem(f"the records look like more than one form: {names}", source, fix=fix))


def _unknown(value: dict[str, Any], source: str) -> InputError:
    fields = ", ".join(quoted(key) for key in list(value)[:_SHOWN_FIELDS]) or "none"
    looked_for = "".join(f"\n  {name}: {make().looks_for}" for name, make in _BUILT_IN.items())
    fix = "Force a form with --format NAME, or rename fields with --map messages=FIELD."
    message = f"this is no known form of dialogue (fields: {fields}). Looked for:{looked_for}\n"
    return InputError(Problem(message, source, 1, fix=fix))
