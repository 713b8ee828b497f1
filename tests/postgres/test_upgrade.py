"""A database of an earlier version is upgraded while its runs execute: nothing waits for long, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from alembic.script import ScriptDirectory
from psycopg.rows import dict_row

from models.runs import successors
from models.runtime.database import set_up
from tests.postgres.factory import SITUATIONS, TENANT, Made, World
from tests.postgres.proxied import until

ROOT = Path(__file__).resolve().parents[2]
HEAD = ScriptDirectory(str(ROOT / "models" / "migrations")).get_current_head()
LONGEST_S = 3.0  # a lock is waited for 1.5 s at most, and a loaded machine is slow
# As the previous version recorded a step and a move: with its columns, in its statements.
_STEP = """
    WITH fenced AS (
        UPDATE run SET seq = seq + 1, recorded_n = recorded_n + 1, step_count = step_count + 1, updated_at = now()
        WHERE id = %(run)s AND epoch = %(epoch)s AND coalesce(lease_worker = %(worker)s, FALSE)
        RETURNING id, tenant, seq, status
    ), kept AS (
        INSERT INTO step (run_id, key, tenant, seq, name, digest, occurrence, status, attempts, duration_ms, started_at,
            finished_at, value)
        SELECT id, %(key)s, tenant, seq, 'load', 'd41d8cd9', %(nth)s, 'succeeded', 1, 2, now(), now(), '1' FROM fenced
        RETURNING key
    ), noted AS (
        INSERT INTO event (run_id, seq, tenant, type, status) SELECT id, seq, tenant, 'step', status FROM fenced, kept
        RETURNING *
    )
    SELECT * FROM noted
    """
_PARK_AND_RESUME = (
    """UPDATE run SET status = 'PAUSED', pause_kind = 'agent', lease_worker = NULL, ready_at = NULL, seq = seq + 1
    WHERE id = %(run)s RETURNING id""",
    """UPDATE run SET status = 'RUNNING', pause_kind = NULL, lease_worker = %(worker)s, seq = seq + 1
    WHERE id = %(run)s RETURNING id""",
)


def _alembic(url: str, revision: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", revision],
        cwd=ROOT, env={**os.environ, "TAXIWAY_DATABASE_URL": url}, check=True, stdout=subprocess.PIPE, text=True, timeout=120,
    )  # fmt: skip


@pytest.fixture
def older(servers: Any) -> Iterator[str]:
    """Return the address of a database as the previous version left it."""
    name = f"older_{uuid4().hex[:12]}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    _alembic(servers.database(name), "0012")
    yield servers.database(name)
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _session(url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """Open a session as the processes of the application do: prepared statements, plans that are kept."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row, prepare_threshold=2) as connection:
        set_up(connection)
        yield connection


class Load:
    """A worker that records steps and parks without a pause, until it is stopped."""

    def __init__(self, url: str, made: Made) -> None:
        self._url, self._made = url, made
        self.steps, self.longest = 0, 0.0
        self.error: BaseException | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(30)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            with _session(self._url) as connection:
                while not self._stopping.is_set():
                    self._record(connection)
        except BaseException as error:  # noqa: BLE001  it is raised again by `stop`
            self.error = error

    def _record(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        began, params = time.monotonic(), {"run": self._made.id, "epoch": self._made.epoch, "worker": self._made.worker}
        key = {"key": f"load#d41d8cd9#{self.steps}", "nth": self.steps}
        with connection.transaction():
            assert connection.execute(_STEP, {**params, **key}).fetchone() is not None
            for sql in _PARK_AND_RESUME:
                connection.execute(sql, params)
        self.longest = max(self.longest, time.monotonic() - began)
        self.steps += 1


def _filled(world: World) -> dict[str, Made]:
    """Create a run in every situation, with records of every kind."""
    runs = {situation: world.run(situation) for situation in SITUATIONS}
    for made in runs.values():
        world.step(made.id, "read#0f3a#1", "succeeded", value='{"a": 1}', seq=1, finished_at="2026-01-01")
        world.step(made.id, "write#77aa#1", "failed", error='{"code": "step_error"}', seq=2, finished_at="2026-01-01")
        world.step(made.id, "call##1", "retrying", error="{}", seq=3)
        world.step(made.id, "pay##1", "intended", seq=4)
        values = {"id": uuid4(), "run_id": made.id, "tenant": TENANT, "key": "approval#1", "kind": "approval"}
        world.insert("wait", {**values, "request": '{"prompt": "?"}', "nonce": "n"})
    return runs


def _content(world: World, made: Made) -> dict[str, list[dict[str, Any]]]:
    tables = {"run": "id", "step": "run_id", "event": "run_id", "wait": "run_id", "payload": "run_id"}
    found = {
        table: world.connection.execute(f"SELECT * FROM {table} AS t WHERE {key} = %s ORDER BY t::text", [made.id])
        for table, key in tables.items()
    }
    return {
        table: [{name: value for name, value in row.items() if name != "at_ms"} for row in rows.fetchall()]
        for table, rows in found.items()
    }


def test_runs_that_execute_and_wait_are_all_there_after_an_upgrade_under_load(older: str) -> None:
    with psycopg.connect(older, autocommit=True, row_factory=dict_row, prepare_threshold=None) as connection:
        world = World(connection)
        runs = _filled(world)
        before = {name: _content(world, made) for name, made in runs.items()}
        busy = [world.run("executing") for _ in range(3)]
        loads = [Load(older, made) for made in busy]
        until(lambda: all(load.steps > 5 or load.error for load in loads), "the load is on")
        _alembic(older, "head")
        after = [load.steps for load in loads]
        until(lambda: all(load.steps > n + 5 or load.error for load, n in zip(loads, after, strict=True)), "it goes on")
        for load in loads:
            load.stop()

        assert max(load.longest for load in loads) < LONGEST_S
        assert {name: _content(world, made) for name, made in runs.items()} == before
        for load, made in zip(loads, busy, strict=True):
            [row] = connection.execute("SELECT count(*) AS n FROM step WHERE run_id = %s", [made.id]).fetchall()
            assert (row["n"], world.row(made.id)["step_count"]) == (load.steps, load.steps)
        world.step(runs["executing"].id, "new", "abandoned", at_ms=1.5)


def test_what_processes_of_the_version_before_have_prepared_stays_good(older: str) -> None:
    """A restart reads the whole row of its run by a prepared statement: refused once, the run would fail."""
    with _session(older) as session:
        made = World(session).run("executing")
        for _ in range(5):
            assert successors.whole(made.id).one(session) is not None
        _alembic(older, "head")
        assert successors.whole(made.id).one(session) is not None


@pytest.mark.parametrize(
    ("table", "lock"), [("step", "ACCESS SHARE"), ("step", "SHARE UPDATE EXCLUSIVE"), ("worker", "ROW EXCLUSIVE")]
)
def test_an_upgrade_waits_for_a_table_without_stopping_the_others(older: str, table: str, lock: str) -> None:
    """A long dump or vacuum holds the table: concurrent recorders must get through again and again."""
    with _session(older) as holder, _session(older) as connection:
        made = World(connection).run("executing")
        holder.execute("BEGIN")
        holder.execute(f"LOCK TABLE {table} IN {lock} MODE")
        upgrade = threading.Thread(target=_alembic, args=(older, "head"))
        upgrade.start()
        _until_waiting(connection, table)
        load = Load(older, made)
        until(lambda: load.steps > 20 or load.error, "others record while it waits")
        assert upgrade.is_alive()
        holder.execute("COMMIT")
        upgrade.join(60)
        load.stop()
        assert load.longest < LONGEST_S
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == {"version_num": HEAD}


def _until_waiting(connection: psycopg.Connection[dict[str, Any]], table: str) -> None:
    sql = "SELECT TRUE AS waits FROM pg_locks WHERE relation = %s::regclass AND NOT granted"
    waits: Callable[[], object] = lambda: connection.execute(sql, [table]).fetchone()  # noqa: E731
    until(waits, "the upgrade waits for the table")


def test_an_upgrade_that_was_cut_off_in_the_middle_is_done_again(older: str) -> None:
    with psycopg.connect(older, autocommit=True, row_factory=dict_row, prepare_threshold=None) as connection:
        connection.execute("ALTER TABLE step ADD COLUMN at_ms double precision")
        connection.execute("ALTER TABLE step DROP CONSTRAINT step_status_known")
        _alembic(older, "head")
        World(connection).step(World(connection).run("executing").id, "new", "abandoned")


def test_indexes_are_built_anew_where_an_upgrade_was_broken_off_and_two_upgrades_at_once_both_end(older: str) -> None:
    """One that waits for the other must have no snapshot: a concurrent index build would wait for that in turn."""
    with _session(older) as connection:
        connection.execute("CREATE INDEX run_open ON run (id)")  # an interrupted one leaves its name
    upgrades = [threading.Thread(target=_alembic, args=(older, "head")) for _ in range(2)]
    for upgrade in upgrades:
        upgrade.start()
    for upgrade in upgrades:
        upgrade.join()
    assert _alembic(older, "head").returncode == 0
    with _session(older) as connection:
        rows = connection.execute(
            "SELECT relname, indisvalid, pg_get_indexdef(indexrelid) AS made FROM pg_index JOIN pg_class ON oid = indexrelid"
            " WHERE indrelid = 'run'::regclass"
        ).fetchall()
    made = {row["relname"]: row["made"] for row in rows}
    assert all(row["indisvalid"] for row in rows)
    assert "(tenant, id) WHERE (finished_at IS NULL)" in made["run_open"]
    assert "run_parent" not in made
