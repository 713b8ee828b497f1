"""Connections to PostgreSQL for the hot path, by psycopg; `models.runtime.engine` is for reads and configuration."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from models.errors import DatabaseAway
from models.runtime.bounded_connection import PatientConnection
from models.runtime.settings import settings

Row = dict[str, Any]
Connection = psycopg.Connection[Row]

PATIENCE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A peer that vanished silently is noticed within seconds, not after the kernel's two hours."""


def connect(name: str, *, direct: bool = False) -> Connection:
    """Open an autocommit psycopg connection that yields rows as dictionaries.

    `name` is shown in `pg_stat_activity`; `direct` bypasses a pooler, for session locks. Raises DatabaseAway.
    """
    url = settings().direct_url if direct else settings().database_url
    try:
        connection = PatientConnection.connect(
            url,
            autocommit=True,
            row_factory=dict_row,
            application_name=f"taxiway {name}",
            prepare_threshold=2,
            **PATIENCE,
        )
        set_up(connection)
        return connection
    except psycopg.OperationalError as error:
        raise DatabaseAway(f"PostgreSQL cannot be reached ({str(error).strip().splitlines()[0]})") from error


def set_up(connection: psycopg.Connection[Any]) -> None:
    """Set up a connection of the hot path: statements find their rows by an index, and keep their plans.

    A plan is made once and kept: made while a table is small or its statistics are old, it would read the whole table, also
    when the table has grown (measured: the leader's session took four times as long for each run). By default PostgreSQL
    plans some statements again each time, which takes longer than they do: half of a promotion's time.
    """
    connection.execute("SET enable_seqscan = off")
    connection.execute("SET plan_cache_mode = force_generic_plan")
