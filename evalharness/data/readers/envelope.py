"""Logs of API calls: a request and its response around the messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REQUEST_KEYS = ("request", "body", "params")
_ID_KEYS = ("custom_id", "request_id")


def unwrapped(value: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a logged call side by side: those of the record, then the request's; the response stays whole.

    A response that is wrapped once more (``{"status_code", "body"}``) is unwrapped.
    """
    flat = {
        key: item for key, item in value.items() if key not in _REQUEST_KEYS or not isinstance(item, dict)
    }
    for key in _REQUEST_KEYS:
        request = value.get(key)
        if isinstance(request, dict):
            flat = {**request, **flat}
    response = flat.get("response")
    if isinstance(response, dict) and isinstance(response.get("body"), dict):
        flat["response"] = response["body"]
    for key in _ID_KEYS:
        if flat.get("id") is None and flat.get(key) is not None:
            flat["id"] = flat.pop(key)
    return flat


def with_response(flat: dict[str, Any], keys: tuple[str, ...], kept: tuple[str, ...]) -> dict[str, Any]:
    """The fields of a logged call with the response's ``keys`` lifted up; its ``kept`` fields fill gaps."""
    response = flat.get("response")
    if not isinstance(response, dict) or not any(key in response for key in keys):
        return flat
    lifted = {key: response[key] for key in keys if key in response}
    rest = {key: item for key, item in flat.items() if key != "response"}
    fill = {key: response[key] for key in kept if key in response and key not in rest}
    return {**rest, **fill, **lifted}
