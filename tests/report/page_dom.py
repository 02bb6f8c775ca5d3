"""Reading a page the way a browser does, and describing its shape without its words."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import html5lib

_FREE = {"href", "title", "aria-label", "content"}
"""Attributes whose values come from the data (always ours in form); their presence counts, not their value."""


def parse(page: str) -> Element:
    """The tree that a browser would build."""
    tree: Element = html5lib.parse(page, namespaceHTMLElements=False)
    return tree


def shape(element: Element) -> list[tuple[int, str, tuple[tuple[str, str], ...]]]:
    """Depth, name and attributes of every element in order; texts don't count."""
    return list(_shape(element, 0))


def _shape(element: Element, depth: int) -> Iterator[tuple[int, str, tuple[tuple[str, str], ...]]]:
    known = tuple(sorted((name, "" if name in _FREE else value) for name, value in element.attrib.items()))
    yield depth, str(element.tag), known
    for child in element:
        yield from _shape(child, depth + 1)


def attributes(tree: Element, name: str) -> list[str]:
    """All values of an attribute."""
    return [element.attrib[name] for element in tree.iter() if name in element.attrib]


def islands(page: str) -> dict[str, Any]:
    """The data blocks by id, read from the raw text as a browser would take them."""
    found = re.findall(
        r'<script type="application/([\w-]+)" id="([\w-]+)">(.*?)</script>', page, flags=re.DOTALL
    )
    return {name: json.loads(text if kind == "json" else _unpacked(text)) for kind, name, text in found}


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text), wbits=-15)


def visible_text(tree: Element) -> str:
    """The words of the page without scripts and styles."""
    body = tree.find("body")
    assert body is not None
    return " ".join(part for part in _texts(body) if part.strip())


def _texts(element: Element) -> Iterator[str]:
    if element.tag in ("script", "style"):
        return
    yield element.text or ""
    for child in element:
        yield from _texts(child)
        yield child.tail or ""
