"""Fixtures of the API's tests: one running server for each module, and clients to talk to it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker
from tests.system.people import with_secret


@pytest.fixture(scope="module")
def api_database(servers: Any, template_database: str) -> Iterator[str]:
    """Return a migrated database that the tests of one module share."""
    name = f"api_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template_database}")
    yield servers.database(name)
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def api_settings() -> dict[str, str]:
    """Return the settings of the API beside its addresses; a module that needs some has a fixture of this name."""
    return {}


@pytest.fixture(scope="module")
def api(
    servers: Any, api_database: str, api_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    """Return a running API over that database."""
    log = tmp_path_factory.mktemp("api") / "api.log"
    server = ApiServer(api_database, servers.broker(0), log, api_settings).start()
    yield server
    server.stop()
    assert "api.fault" not in server.log.read_text(), server.log.read_text()[-5000:]


@pytest.fixture(scope="module")
def fake_worker(api: ApiServer) -> Iterator[FakeWorker]:
    """Return a worker played by hand; its agents are known from then on."""
    with api.connect() as connection:
        yield FakeWorker(connection)


@pytest.fixture(scope="module")
def acme(api: ApiServer, fake_worker: FakeWorker) -> Iterator[httpx.Client]:
    """Return a client of tenant acme with a key that may do everything."""
    with api.client(api.key("acme")) as client:
        yield client


@pytest.fixture(scope="module")
def other(api: ApiServer, fake_worker: FakeWorker) -> Iterator[httpx.Client]:
    """Return a client of another tenant."""
    with api.client(api.key("other")) as client:
        yield client


@pytest.fixture
def anybody(api: ApiServer) -> Iterator[httpx.Client]:
    """Return a client without a key."""
    with api.client(None) as client:
        yield client


@pytest.fixture
def run(acme: httpx.Client) -> str:
    """Return a new run of tenant acme."""
    made: str = acme.post("/v1/runs", json={"agent": "refund", "input": INPUT}).json()["runId"]
    return made


@pytest.fixture(scope="module")
def same_secret() -> Iterator[None]:
    """Use the API's secret in this process, so that it makes the same tokens."""
    with with_secret():
        yield


@pytest.fixture
def nothing_stored(api: ApiServer, acme: httpx.Client) -> Iterator[None]:
    """Check that a test leaves the number of rows unchanged."""
    before = api.rows()
    yield
    assert api.rows() == before
