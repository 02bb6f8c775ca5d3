"""--log-file: what the program and its libraries log, one JSON object per line, without secrets or dialogue text."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalharness.core.text import one_line
from evalharness.errors import UsageError


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": one_line(record.getMessage(), 2000),
        }
        facts = getattr(record, "facts", {})
        return json.dumps({**entry, **facts}, ensure_ascii=True, default=str)


@contextmanager
def log_to(name: str | None) -> Iterator[None]:
    """Send the log to a file for the time of a command; without a name, warnings go nowhere but the report.

    The providers' own loggers stay off: at debug level they write request bodies.
    """
    logger = logging.getLogger("evalharness")
    logger.propagate = False
    if name is None:
        logger.addHandler(logging.NullHandler())
        yield
        return
    try:
        Path(name).touch(mode=0o600)
        handler = logging.FileHandler(name, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"can't write the log file {name}: {error.strerror}") from error
    handler.setFormatter(_Lines())
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
