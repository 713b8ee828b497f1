"""While the database takes no writes the API reports that with its reason, is not ready, and recovers by itself."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker

GOOD = {"agent": "refund", "input": INPUT}
DISK = 48 << 20


def until(fact: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # between two polls


def refusal(client: httpx.Client) -> str:
    """Enqueue a run, which is refused; return the reason."""
    answer = client.post("/v1/runs", json=GOOD)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
    return str(answer.json()["detail"])


def test_an_account_without_the_permission_is_told_which_one_to_mend(
    api: ApiServer, fake_worker: FakeWorker, tmp_path: Path
) -> None:
    del fake_worker  # its agents are known now
    name = f"poor_{uuid.uuid4().hex[:8]}"
    with api.connect() as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN IN ROLE pg_read_all_data")
    server = ApiServer(api.database_url.replace("postgres@", f"{name}@"), api.redis_url, tmp_path / "api.log")
    server.start()
    try:
        with server.client(api.key()) as client:
            assert "permission" in client.get("/ready").json()["detail"]
            assert "TAXIWAY_DATABASE_URL" in refusal(client)
    finally:
        server.stop()
        with api.connect() as connection:
            connection.execute(f"DROP ROLE {name}")


@contextmanager
def small_disk(owner: int, folder: Path) -> Iterator[Path]:
    """Mount a disk of a few megabytes for the account of the database."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700,uid={owner}", "tmpfs", str(folder)],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def on_small_disk(servers: Any, template_database: str, tmp_path: Path) -> Iterator[tuple[ApiServer, Path]]:
    """Return an API whose database is on a small disk of its own."""
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
        assert row is not None
        data = Path(row[0])
        name = f"small_{uuid.uuid4().hex[:8]}"
        with small_disk(data.stat().st_uid, data.parent / name) as folder:
            place = sql.Literal(str(folder))
            connection.execute(sql.SQL("CREATE TABLESPACE {} LOCATION {}").format(sql.Identifier(name), place))
            try:
                connection.execute(f"CREATE DATABASE {name} TEMPLATE {template_database} TABLESPACE {name}")
                server = ApiServer(servers.database(name), servers.broker(0), tmp_path / "api.log").start()
                try:
                    yield server, folder
                finally:
                    server.stop()
            finally:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                connection.execute(f"DROP TABLESPACE {name}")


def test_a_full_disk_is_named_loses_nothing_accepted_and_is_over_when_there_is_space(
    on_small_disk: tuple[ApiServer, Path],
) -> None:
    api, folder = on_small_disk
    with api.connect() as connection, api.client(api.key()) as client:
        FakeWorker(connection)
        accepted, filler = [client.post("/v1/runs", json=GOOD).json()["runId"]], folder / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(os.urandom(1 << 16)):
                    pass
            except OSError:
                pass
        while (answer := client.post("/v1/runs", json=GOOD)).status_code == 201:  # in the free space of the tables
            accepted.append(answer.json()["runId"])
            assert len(accepted) < 5_000
        assert "disk of the database is full" in refusal(client)
        until(lambda: client.get("/ready").status_code == 503)
        assert "disk" in client.get("/ready").json()["detail"]
        filler.unlink()
        until(lambda: client.get("/ready").status_code == 200)
        accepted.append(client.post("/v1/runs", json=GOOD).json()["runId"])
        stored = connection.execute("SELECT id FROM run").fetchall()
        assert {str(row["id"]) for row in stored} == set(accepted)
    assert "api.fault" not in api.log.read_text()
