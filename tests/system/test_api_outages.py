"""The API's answers and its recovery while a dependency is missing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from ops.ports import free_port
from tests.system.api_server import ROOT, ApiServer
from tests.system.fake_worker import INPUT, FakeWorker

CALLS = [
    ("GET", "/v1/runs"),
    ("POST", "/v1/runs"),
    ("GET", f"/v1/runs/{'0' * 8}-0000-7000-8000-{'0' * 12}/sse"),
    ("GET", "/v1/capacity"),
    ("GET", "/metrics"),
]

GOOD = {"agent": "refund", "input": INPUT}


def ask_all(client: httpx.Client) -> set[tuple[int, str]]:
    answers = [client.request(method, path, json=GOOD if method == "POST" else None) for method, path in CALLS]
    return {(answer.status_code, answer.json()["code"]) for answer in answers}


def test_without_a_database_it_lives_and_answers_unavailable(servers: Any, tmp_path: Path) -> None:
    nowhere = f"postgresql://postgres@127.0.0.1:{free_port()}/x"
    server = ApiServer(nowhere, servers.broker(0), tmp_path / "api.log").start()
    try:
        with server.client("tw_any") as client:
            assert client.get("/health").json() == {"status": "alive"}
            assert client.get("/ready").status_code == 503
            assert ask_all(client) == {(503, "unavailable")}
    finally:
        server.stop()
    log = server.log.read_text()
    assert "PostgreSQL cannot be reached" in log
    assert "Traceback" not in log


def test_without_tables_it_says_what_to_run(servers: Any, tmp_path: Path) -> None:
    server = ApiServer(servers.postgres, servers.broker(0), tmp_path / "api.log").start()
    try:
        with server.client("tw_any") as client:
            for path in ("/ready", "/v1/runs"):
                answer = client.get(path)
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
                assert "alembic upgrade head" in answer.json()["detail"]
    finally:
        server.stop()


def test_when_the_database_goes_and_comes_back_calls_and_streams_go_on(
    servers: Any, api: ApiServer, acme: httpx.Client, fake_worker: FakeWorker
) -> None:
    name = urlsplit(api.database_url).path.strip("/")
    run = acme.post("/v1/runs", json=GOOD).json()["runId"]
    told: list[str] = []
    began = threading.Event()

    def follow() -> None:
        with acme.stream("GET", f"/v1/runs/{run}/sse") as response:
            for line in response.iter_lines():
                if line.startswith("id: "):
                    told.append(line)
                    began.set()

    stream = threading.Thread(target=follow)
    stream.start()
    assert began.wait(15), "the stream says what has been so far"
    with psycopg.connect(servers.postgres, autocommit=True) as server:
        server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        try:
            assert acme.get("/health").status_code == 200
            assert acme.get("/ready").status_code == 503
            assert ask_all(acme) == {(503, "unavailable")}
            time.sleep(2.5)  # a poll of the open stream fails during this time
        finally:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert acme.get("/ready").status_code == 200
    assert acme.delete(f"/v1/runs/{run}").status_code == 200
    stream.join(15)
    assert told == ["id: 1", "id: 2"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("TAXIWAY_DATABASE_URL", "mysql://x/y"), ("TAXIWAY_REDIS_URL", "nonsense"), ("TAXIWAY_MAX_BATCH", "many")],
)
def test_a_wrong_setting_is_one_sentence_and_a_failure(name: str, value: str) -> None:
    for command in (["uvicorn", "api.app:app", "--port", str(free_port())], ["api.keys", "list"]):
        ended = subprocess.run(
            [sys.executable, "-m", *command],
            check=False, cwd=ROOT, env={**os.environ, name: value}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert ended.returncode == 2
        assert ended.stderr.startswith(name)
        assert len(ended.stderr.splitlines()) == 1
        assert ended.stdout == ""


def test_the_key_command_says_in_one_sentence_that_the_database_is_away() -> None:
    nowhere = f"postgresql://postgres@127.0.0.1:{free_port()}/x"
    ended = subprocess.run(
        [sys.executable, "-m", "api.keys", "create", "--tenant", "t", "--name", "n"],
        check=False, cwd=ROOT, env={**os.environ, "TAXIWAY_DATABASE_URL": nowhere}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "PostgreSQL cannot be reached: check TAXIWAY_DATABASE_URL.\n"
