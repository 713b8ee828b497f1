"""The embedded servers keep their data through every kind of end, and never outlive the process that started them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ops.embedded import DURABLE, FAST, DataInUse, NoSuchProgram, PostgresServer, ServerFailed, ValkeyServer
from ops.embedded.identity import identity_for
from ops.embedded.keeper import alive

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[PostgresServer]:
    with PostgresServer(tmp_path, FAST) as server:
        yield server


def write(server: PostgresServer) -> None:
    with psycopg.connect(server.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")


def read(server: PostgresServer) -> int:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("SELECT answer FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 15
    while alive(pid) and not is_zombie(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.02)


def is_zombie(pid: int) -> bool:
    """A process that is not reaped (some containers have no reaper) has still ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return False


def test_postgres_keeps_its_data_over_a_stop(postgres: PostgresServer) -> None:
    write(postgres)
    postgres.stop()
    postgres.start()
    assert read(postgres) == 42


def test_postgres_keeps_committed_data_when_its_postmaster_is_killed(postgres: PostgresServer) -> None:
    write(postgres)
    os.kill(postgres.pid, signal.SIGKILL)
    postgres.start()
    assert read(postgres) == 42


def test_a_new_handle_finds_the_data_of_an_old_one(postgres: PostgresServer, tmp_path: Path) -> None:
    write(postgres)
    postgres.stop()
    with PostgresServer(tmp_path, FAST) as again:
        assert read(again) == 42


def test_a_running_postgres_is_not_adopted_by_a_second_start(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.embedded.ownership.PATIENCE", 0.1)
    with pytest.raises(DataInUse, match="stop it first"):
        PostgresServer(tmp_path, FAST).start()


def test_postgres_starts_over_a_dead_servers_process_id_that_now_belongs_to_somebody_else(
    postgres: PostgresServer,
) -> None:
    write(postgres)
    file = postgres.data / "postmaster.pid"
    lines = file.read_text().splitlines()
    os.kill(postgres.pid, signal.SIGKILL)
    assert postgres.child is not None
    assert postgres.child.wait(5)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
            postgres.start()
            assert read(postgres) == 42
        finally:
            stranger.kill()


def test_postgres_settings_for_data_that_matters_are_durable(tmp_path: Path) -> None:
    with PostgresServer(tmp_path, DURABLE) as server, psycopg.connect(server.url()) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {name}").fetchone() == ("on",)


def test_both_forms_of_the_postgres_address_name_the_socket_and_the_database(postgres: PostgresServer) -> None:
    plain, with_driver = postgres.url("orders"), postgres.url("orders", driver="psycopg")
    assert plain == f"postgresql://postgres@/orders?host={postgres.sockets}"
    assert with_driver == plain.replace("postgresql://", "postgresql+psycopg://")


def test_a_postgres_that_cannot_start_says_why_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.embedded.postgres.LINGER", 0.0)
    server = PostgresServer(tmp_path, {**FAST, "shared_buffers": "nonsense"})
    with pytest.raises(ServerFailed, match="shared_buffers"):
        server.start()


def test_a_socket_folder_stays_short_however_deep_the_data_lies(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with PostgresServer(deep, FAST) as server, psycopg.connect(server.url()) as connection:
        assert len(str(server.sockets)) < 100
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for PostgreSQL")
def test_root_without_user_namespaces_runs_postgres_as_nobody_and_finds_its_data_again(tmp_path: Path) -> None:
    with PostgresServer(tmp_path, FAST, way="setuid") as server:
        assert server.identity.way == "setuid"
        write(server)
        assert Path(f"/proc/{server.pid}").stat().st_uid == server.identity.uid != 0
    with PostgresServer(tmp_path, FAST) as again:
        assert again.identity.way == "setuid"
        assert read(again) == 42
    if again.home != tmp_path:
        shutil.rmtree(again.home)


def test_an_ordinary_user_runs_postgres_as_oneself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert identity_for(tmp_path / "postgres", tmp_path / "data").way == "self"


def test_valkey_keeps_its_messages_when_it_is_killed(valkey: ValkeyServer) -> None:
    with redis.Redis.from_url(valkey.url()) as client:
        client.set("ticket", "1")
        client.execute_command("WAITAOF", 1, 0, 2000)
    os.kill(valkey.pid, signal.SIGKILL)
    valkey.start()
    with redis.Redis.from_url(valkey.url()) as client:
        assert client.get("ticket") == b"1"


def test_valkey_refuses_whoever_lacks_the_password(valkey: ValkeyServer) -> None:
    with redis.Redis(port=valkey.port, retry=Retry(NoBackoff(), 0)) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    assert valkey.password.encode() not in Path(f"/proc/{valkey.pid}/cmdline").read_bytes()


def test_both_servers_end_when_the_process_that_started_them_is_killed(tmp_path: Path) -> None:
    program = (
        "import json, sys, threading; from pathlib import Path\n"
        "from ops.embedded import FAST, PostgresServer, ValkeyServer\n"
        "servers = [PostgresServer(Path(sys.argv[1]), FAST), ValkeyServer(Path(sys.argv[1]))]\n"
        "# From a passing thread, whose end must not take the servers with it.\n"
        "passing = [threading.Thread(target=server.start) for server in servers]\n"
        "[thread.start() for thread in passing]; [thread.join() for thread in passing]\n"
        "print(json.dumps([server.pid for server in servers]), flush=True)\n"
        "sys.stdin.read()\n"
    )
    argv = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pids = json.loads(parent.stdout.readline())
        assert all(alive(pid) and not is_zombie(pid) for pid in pids)
        parent.kill()
    for pid in pids:
        wait_until_gone(pid)
    with PostgresServer(tmp_path, FAST) as again, psycopg.connect(again.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_missing_program_is_named_with_the_way_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXIWAY_POSTGRES_BIN", str(tmp_path))
    monkeypatch.setenv("TAXIWAY_VALKEY_BIN", str(tmp_path / "valkey-server"))
    with pytest.raises(NoSuchProgram, match="TAXIWAY_POSTGRES_BIN"):
        PostgresServer(tmp_path)
    with pytest.raises(NoSuchProgram, match="TAXIWAY_VALKEY_BIN"):
        ValkeyServer(tmp_path)


def test_the_servers_of_the_tests_are_shared_and_empty_databases_are_cheap(database_url: str, redis_url: str) -> None:
    with psycopg.connect(database_url) as connection, redis.Redis.from_url(redis_url) as client:
        assert connection.execute("SELECT current_database()").fetchone() != ("postgres",)
        assert client.dbsize() == 0
