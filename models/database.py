"""Opens connections to PostgreSQL: the SQLAlchemy engine for reads and configuration, psycopg for the hot path."""

from functools import lru_cache
from typing import Any

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import Engine, create_engine

from models.errors import DatabaseAway
from models.patience import PatientConnection
from models.settings import settings

Row = dict[str, Any]
Connection = psycopg.Connection[Row]

# A peer that vanished without a word is noticed within seconds, not after the kernel's two hours.
_PATIENCE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


@lru_cache(maxsize=1)
def engine() -> Engine:
    """Give the process's engine: at most ten connections, each checked before use."""
    url = settings().database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(
        url,
        pool_size=5,
        max_overflow=5,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text ends up in logs, and its parameters are payloads
        creator=lambda: PatientConnection.connect(settings().database_url, application_name="taxiway", **_PATIENCE),
    )


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
            **_PATIENCE,
        )
        set_up(connection)
        return connection
    except psycopg.OperationalError as error:
        raise DatabaseAway(f"PostgreSQL cannot be reached ({str(error).strip().splitlines()[0]})") from error


def set_up(connection: psycopg.Connection[Any]) -> None:
    """Have what runs on a connection of the hot path find its rows by an index, and keep its plans.

    A plan is made once and kept: made while a table is small or its statistics are old it would read the whole table, and
    go on doing so when the table has grown (measured: the leader's session took four times as long for each run). Left to
    itself PostgreSQL plans some statements anew each time, which takes longer than they do: half of a promotion's time.
    """
    connection.execute("SET enable_seqscan = off")
    connection.execute("SET plan_cache_mode = force_generic_plan")
