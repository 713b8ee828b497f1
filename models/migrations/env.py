"""Runs the migrations against `TAXIWAY_DATABASE_URL`; one process at a time, held by an advisory lock."""

import sys
import time

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

import models.tables.registry  # noqa: F401  they register themselves
from models.errors import SettingsError
from models.runtime.engine import engine

MIGRATION_LOCK = 7_246_001
LOOK_SECONDS = 0.2


def run() -> None:
    with engine().connect() as connection:
        _wait_for_others(connection)
        context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_server_default=False)
        with context.begin_transaction():
            context.run_migrations()


def _wait_for_others(connection: Connection) -> None:
    """Take the lock without waiting in its queue: a concurrent index build waits for every session that does."""
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": MIGRATION_LOCK}):
        connection.commit()
        time.sleep(LOOK_SECONDS)
    connection.commit()


try:
    run()
except SettingsError as error:
    sys.exit(f"taxiway: {error}")
except OperationalError as error:
    sys.exit(
        f"taxiway: PostgreSQL cannot be reached ({str(error.orig).strip().splitlines()[0]}); check TAXIWAY_DATABASE_URL."
    )
