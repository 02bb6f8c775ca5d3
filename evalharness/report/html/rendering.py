"""The templates' environment: everything is escaped, and hidden characters are made visible on the way."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, FunctionLoader, StrictUndefined

from evalharness.core.text import visible
from evalharness.report.html.assets import asset


@cache
def environment() -> Environment:
    """The environment of the page's templates.

    ``visible`` is applied to every value that is printed, so that no template can forget it; numbers pass unchanged.
    """
    templates = Environment(
        autoescape=True,
        loader=FunctionLoader(_source),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["thousands"] = _thousands
    return templates


def _source(name: str) -> str:
    return asset(f"templates/{name}")


def _shown(value: object) -> object:
    return visible(value) if type(value) is str else value


def _thousands(value: int) -> str:
    return f"{value:,}"
