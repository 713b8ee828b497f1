"""Servers for all measured systems: one PostgreSQL and one Valkey, emptied before each turn."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
import redis

from ops.embedded import DURABLE, PostgresServer, ValkeyServer

CELERY_DATABASE = 1
"""Number of bare Celery's database in Valkey; Taxiway uses the first."""


class BenchServers:
    """Both servers, durable as in `make up`; an existing `base` is replaced."""

    def __init__(self, base: Path) -> None:
        shutil.rmtree(base, ignore_errors=True)
        base.mkdir(mode=0o700, parents=True)
        self.base = base
        self.postgres = PostgresServer(base, DURABLE)
        self.valkey = ValkeyServer(base)

    def __enter__(self) -> Self:
        self.postgres.start()
        try:
            self.valkey.start()
            self._must_be_durable()
        except BaseException:
            self.postgres.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.valkey.stop()
        self.postgres.stop()

    def fresh_database(self, name: str) -> str:
        """Replace the database of that name by an empty one, and return its address."""
        with psycopg.connect(self.postgres.url(), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
            connection.execute(f"CREATE DATABASE {name}".encode())
            connection.execute("CHECKPOINT")  # so that this turn does not pay for writes of the last one
        return self.postgres.url(name)

    def fresh_broker(self, number: int = 0) -> str:
        """Empty a numbered database of Valkey and return its address."""
        url = self.valkey.url(number)
        with redis.Redis.from_url(url) as connection:
            connection.flushdb()
        return url

    def shown(self, setting: str) -> str:
        """Return the value of a setting of PostgreSQL."""
        with psycopg.connect(self.postgres.url()) as connection:
            row = connection.execute("SELECT current_setting(%s)", [setting]).fetchone()
        assert row is not None, "current_setting always returns a row"
        return str(row[0])

    def _must_be_durable(self) -> None:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            if self.shown(setting) != "on":
                raise RuntimeError(f"{setting} is off: figures without durability are not comparable")
