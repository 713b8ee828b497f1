"""The migrated schema equals the one that the models declare, and migrating again changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg.rows import dict_row
from sqlalchemy import Engine, create_engine
from sqlmodel import SQLModel

import models.tables.registry  # noqa: F401  they register themselves
from models.authorization import grants
from models.authorization.givers import Giver
from models.authorization.grants import Holder
from models.errors import DatabaseAway
from models.runtime import database, settings
from tests.postgres.factory import World

ROOT = Path(__file__).resolve().parents[2]

_COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
    WHERE table_schema = %(schema)s AND table_name <> 'alembic_version' ORDER BY table_name, column_name
    """
_CONSTRAINTS = """
    SELECT conrelid::regclass::text AS "table", conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
    WHERE connamespace = %(schema)s::regnamespace AND contype <> 'n' AND conname <> 'alembic_version_pkc'
    ORDER BY conname
    """
_INDEXES = """
    SELECT tablename, indexname, indexdef FROM pg_indexes
    WHERE schemaname = %(schema)s AND tablename <> 'alembic_version' ORDER BY indexname
    """
_STORAGE = """
    SELECT relname, reloptions FROM pg_class
    WHERE relnamespace = %(schema)s::regnamespace AND relkind = 'r' AND relname <> 'alembic_version' ORDER BY relname
    """


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://", 1))
    yield engine
    engine.dispose()


def _catalogue(connection: Any, schema: str) -> dict[str, list[tuple[Any, ...]]]:
    kinds = {"columns": _COLUMNS, "constraints": _CONSTRAINTS, "indexes": _INDEXES, "storage": _STORAGE}
    return {
        kind: [
            tuple(str(value).replace(f"{schema}.", "") for value in row.values())
            for row in connection.execute(sql, {"schema": schema}).fetchall()
        ]
        for kind, sql in kinds.items()
    }


@pytest.mark.parametrize("kind", ["columns", "constraints", "indexes", "storage"])
def test_the_migrated_schema_is_the_declared_one(own_world: World, engine: Engine, kind: str) -> None:
    """Read from PostgreSQL's catalogue, because Alembic compares neither checks nor predicates nor fill factors."""
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA declared")
        SQLModel.metadata.create_all(connection.execution_options(schema_translate_map={None: "declared"}))

    migrated, declared = (_catalogue(own_world.connection, schema)[kind] for schema in ("public", "declared"))

    assert len(migrated) > 10
    assert migrated == declared


def test_alembic_finds_nothing_to_generate(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrating_again_changes_nothing(own_world: World, database_url: str) -> None:
    before = _catalogue(own_world.connection, "public")
    environment = {**os.environ, "TAXIWAY_DATABASE_URL": database_url}
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-m", "alembic", "upgrade", "head"],
            cwd=ROOT, env=environment, check=True, capture_output=True, timeout=60,
        )  # fmt: skip

    assert _catalogue(own_world.connection, "public") == before
    assert own_world.connection.execute("SELECT count(*) AS n FROM alembic_version").fetchone() == {"n": 1}


def _migrate(url: str, revision: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", revision],
        cwd=ROOT, env={**os.environ, "TAXIWAY_DATABASE_URL": url}, check=True, capture_output=True, timeout=60,
    )  # fmt: skip


@contextmanager
def _older(servers: Any, revision: str) -> Iterator[tuple[World, Callable[[], None]]]:
    """Return a database of an earlier revision, and the function that upgrades it."""
    name = f"older_{uuid4().hex[:12]}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    _migrate(servers.database(name), revision)
    with psycopg.connect(servers.database(name), autocommit=True, row_factory=dict_row) as connection:
        yield World(connection), lambda: _migrate(servers.database(name), "head")
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_grants_are_bound_to_the_provider_that_is_there(servers: Any) -> None:
    with _older(servers, "0013") as (world, upgrade):
        giver = world.provider("bank")
        for provider in ("bank", "gone"):
            values = {"tenant": "acme", "subject": "ann", "provider": provider, "sealed": "v1.x", "refreshable": True}
            world.insert("grant", {"id": uuid4(), **values})
        upgrade()
        bound = world.connection.execute('SELECT * FROM "grant" ORDER BY provider').fetchall()
        live = [grants.held(Holder("acme", "ann", name)).one(world.connection) for name in ("bank", "gone")]
    assert [Giver(row["token_url"], row["client_id"], row["revocation_url"]) for row in bound] == [
        giver,
        Giver(None, None, None),
    ]
    assert [row and row.live for row in live] == [True, False]


def test_keys_of_admins_may_give_what_they_could_give_before_but_for_the_installation(servers: Any) -> None:
    keys = {
        "admin": "admin,enqueue,read,decide", "read,admin": "read,admin,enqueue,decide", "operate": "operate",
        "operate,admin": "operate,admin,enqueue,read,decide", "enqueue,read,decide,operate,admin": "", "read": "read",
    }  # fmt: skip
    with _older(servers, "0013") as (world, upgrade):
        for scopes in keys:
            values = {"id": uuid4(), "tenant": "t", "name": scopes, "hash": scopes, "scopes": scopes.split(",")}
            world.insert("api_key", values)
        revoked = {"id": uuid4(), "tenant": "t", "name": "revoked", "hash": "r", "scopes": ["admin"]}
        world.insert("api_key", revoked, revoked_at="now()")
        upgrade()
        found = world.connection.execute("SELECT name, scopes FROM api_key").fetchall()
    assert {row["name"]: ",".join(row["scopes"]) for row in found} == {
        **{scopes: after or scopes for scopes, after in keys.items()}, "revoked": "admin",
    }  # fmt: skip


def test_tenants_keep_their_places_when_the_fair_order_becomes_one_for_each_priority(servers: Any) -> None:
    with _older(servers, "0011") as (world, upgrade):
        connection = world.connection
        world.insert("queue", {"name": "default", "virtual_time": 7})
        for tenant, weight, tag in (("a", 1, 9), ("b", 2, 7)):
            world.insert("tenant_share", {"queue": "default", "tenant": tenant, "weight": weight, "last_tag": tag})
        for tag, priority in ((8, 0), (9, 0), (8.5, 4)):
            world.run("queued", tenant="a", fair_tag=tag, priority=priority)
        world.run("succeeded", tenant="b", fair_tag=7)
        upgrade()
        tags = connection.execute("SELECT tenant, priority, last_tag FROM tenant_tag ORDER BY priority").fetchall()
        times = connection.execute("SELECT queue, priority, tag FROM virtual_time ORDER BY priority").fetchall()
        shares = connection.execute("SELECT tenant, weight FROM tenant_share").fetchall()
    assert [tuple(row.values()) for row in tags] == [("a", 0, 9.0), ("a", 4, 8.5)]
    assert [tuple(row.values()) for row in times] == [("default", 0, 7.0), ("default", 4, 7.0)]
    assert [tuple(row.values()) for row in shares] == [("b", 2.0)]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://h/db", "TAXIWAY_DATABASE_URL is wrong: "),
        ("postgresql://127.0.0.1:1/db", "PostgreSQL cannot be reached"),
    ],
)
def test_migrating_without_a_database_is_one_sentence(url: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT, env={**os.environ, "TAXIWAY_DATABASE_URL": url}, check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip

    assert done.returncode != 0
    assert done.stderr.startswith("taxiway: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_run_has_nine_indexes_and_none_is_a_gin(world: World) -> None:
    rows = world.connection.execute(
        """
        SELECT indexrelid::regclass::text AS name, amname FROM pg_index JOIN pg_class AS i ON i.oid = indexrelid
        JOIN pg_am ON pg_am.oid = i.relam WHERE indrelid = 'run'::regclass
        """
    ).fetchall()

    listed = {"run_tenant", "run_children", "run_open", "run_unhappy", "run_user"}
    names = {"run_pkey", "run_ready", "run_in_flight", "run_blocked", *listed}
    assert {(row["name"], row["amname"]) for row in rows} == {(name, "btree") for name in names}


def test_a_page_of_runs_keeps_room_for_updates_and_is_vacuumed_early(world: World) -> None:
    row = world.connection.execute("SELECT reloptions FROM pg_class WHERE oid = 'run'::regclass").fetchone()
    assert row == {"reloptions": ["fillfactor=80", "autovacuum_vacuum_scale_factor=0.02", "vacuum_index_cleanup=on"]}


def test_no_column_is_of_a_type_that_refuses_a_nul_escape(world: World) -> None:
    sql = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' AND udt_name = 'jsonb'"
    assert world.connection.execute(sql).fetchall() == []


def test_what_a_tenant_owns_says_whose_it_is(world: World) -> None:
    """Queues, windows, agents, workers and providers belong to the installation; every other row belongs to a tenant."""
    sql = """
        SELECT c.relname FROM pg_class AS c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant' AND attnotnull)
        """
    without = {row["relname"] for row in world.connection.execute(sql).fetchall()}

    assert without == {
        "agent", "alembic_version", "place_change", "provider", "queue", "rate_slot", "virtual_time", "window", "window_change",
        "worker",
    }  # fmt: skip


def test_a_connection_says_who_it_is(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXIWAY_DATABASE_URL", database_url)
    settings.settings.cache_clear()
    try:
        with database.connect("test") as connection:
            row = connection.execute(
                "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
            ).fetchone()
            assert row == {"application_name": "taxiway test"}
            assert connection.autocommit
    finally:
        settings.settings.cache_clear()


def test_a_database_that_is_away_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAXIWAY_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/db")
    settings.settings.cache_clear()
    try:
        with pytest.raises(DatabaseAway, match="PostgreSQL cannot be reached") as caught:
            database.connect("test")
    finally:
        settings.settings.cache_clear()
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert isinstance(caught.value.__cause__, psycopg.OperationalError)
