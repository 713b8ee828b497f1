"""Servers and agent hosts for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from executor.hosts import HostPool
from ops.embedded import ValkeyServer
from tests.processes.carrying import pools_in


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """Return a Valkey that this test may stop, freeze or kill."""
    with ValkeyServer(tmp_path) as server:
        yield server


@pytest.fixture
def pool_of(tmp_path: Path) -> Iterator[Callable[..., HostPool]]:
    """Return a function that makes a pool serving the source; all are stopped afterwards."""
    with pools_in(tmp_path) as make:
        yield make
