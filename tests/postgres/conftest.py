"""Fixtures of the law's tests: one database for their runs, and connections to it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from executor.recorder.recorder import Recorder
from models.ids import new_id
from scheduler.promotion import gates as gates_of
from scheduler.promotion.gates import GateReader
from scheduler.promotion.promotion import Promotion
from tests.postgres.database_setup import DatabaseSetup, Published
from tests.postgres.factory import World
from tests.postgres.proxied import Deaf, proxy_to, settings_of, through
from tests.postgres.proxy import Proxy

Connect = Callable[[], psycopg.Connection[dict[str, Any]]]


@pytest.fixture(scope="session")
def law_url(servers: Any, template_database: str) -> Iterator[str]:
    """Return a database that many tests share: each touches only its own runs. Cloning one each costs 0.3 s."""
    name = f"law_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template_database}")
    yield servers.database(name)
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def _law_connection(law_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(law_url, autocommit=True, row_factory=dict_row) as connection:
        yield connection


@pytest.fixture
def world(_law_connection: psycopg.Connection[dict[str, Any]]) -> World:
    """Return the factory over the shared database."""
    return World(_law_connection)


@pytest.fixture
def connect(law_url: str) -> Iterator[Connect]:
    """Return a function that opens one more connection to the shared database, in autocommit."""
    opened: list[psycopg.Connection[dict[str, Any]]] = []

    def open_one() -> psycopg.Connection[dict[str, Any]]:
        # A test that waits longer than this for a lock waits for a connection of its own.
        opened.append(psycopg.connect(law_url, autocommit=True, row_factory=dict_row, options="-c lock_timeout=10s"))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture
def agent() -> str:
    """Return the name of an agent that only the runs of this test have."""
    return f"agent-{new_id()}"


@pytest.fixture
def no_operations_of_others(world: World) -> Iterator[None]:
    """Leave no bulk operation behind in the shared database."""
    yield
    world.connection.execute("DELETE FROM bulk")


@pytest.fixture
def own_world(database: Callable[..., psycopg.Connection[Any]]) -> World:
    """Return the factory over an empty database for this test only."""
    return World(database(autocommit=True, row_factory=dict_row))


@pytest.fixture
def bus() -> Deaf:
    """Return a bus without subscribers."""
    return Deaf()


@pytest.fixture
def proxy(law_url: str) -> Iterator[Proxy]:
    """Return a proxy in front of the shared database."""
    with proxy_to(law_url) as proxy:
        yield proxy


@pytest.fixture
def recorder(bus: Deaf, proxy: Proxy, law_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Return a running recorder whose sessions use the proxy."""
    with settings_of(monkeypatch, DATABASE_URL=through(proxy, law_url)):
        recorder = Recorder(bus)  # type: ignore[arg-type]  # the only part of a bus that a recorder uses
        recorder.start()
        yield recorder
        proxy.frozen = proxy.muted = proxy.refusing = False
        recorder.stop(5)


@pytest.fixture
def published() -> Published:
    """Return a publisher that keeps the tickets."""
    return Published()


@pytest.fixture
def promotion(published: Published) -> Promotion:
    """Return a promotion that fills all free slots together."""
    return Promotion(published, GateReader(), fill_s=0)


@pytest.fixture
def setup(own_world: World, monkeypatch: pytest.MonkeyPatch) -> DatabaseSetup:
    """Return a queue with eight slots and its duties, over an empty database for this test only."""
    monkeypatch.setattr(gates_of, "FRESH_SECONDS", 0.0)  # the next turn sees what a test just wrote
    return DatabaseSetup(own_world)
