"""Runs on workers, against a provider that fails on command, in a working folder of their own."""

from __future__ import annotations

from tests.cli.conftest import own_home
from tests.reliability.conftest import bench, server

__all__ = ["bench", "own_home", "server"]
