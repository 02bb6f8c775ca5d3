"""Runs against a provider that fails on command, in a working folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import own_home
from tests.faultd import Faultd
from tests.reliability.bench import Bench
from tests.reliability.nursery import Nursery

__all__ = ["own_home"]


@pytest.fixture
def server() -> Iterator[Faultd]:
    with Faultd() as running:
        yield running


@pytest.fixture
def bench(server: Faultd, own_home: Path) -> Bench:
    return Bench(server, own_home)


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running
