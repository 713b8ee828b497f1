"""Runs the migrations against `TAXIWAY_DATABASE_URL`; one process at a time, held by an advisory lock."""

import sys

from alembic import context
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

import models  # noqa: F401  the tables register themselves
from models.database import engine
from models.errors import SettingsError

MIGRATION_LOCK = 7_246_001


def run() -> None:
    with engine().connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
        context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_server_default=False)
        with context.begin_transaction():
            context.run_migrations()


try:
    run()
except SettingsError as error:
    sys.exit(f"taxiway: {error}")
except OperationalError as error:
    sys.exit(
        f"taxiway: PostgreSQL cannot be reached ({str(error.orig).strip().splitlines()[0]}); check TAXIWAY_DATABASE_URL."
    )
