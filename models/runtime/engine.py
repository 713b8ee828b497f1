"""The SQLAlchemy engine of a process, for reads and configuration. Workers and schedulers start without: in half the time."""

from functools import lru_cache

from sqlalchemy import Engine, create_engine

from models.runtime.bounded_connection import PatientConnection
from models.runtime.database import PATIENCE
from models.runtime.settings import settings


@lru_cache(maxsize=1)
def engine() -> Engine:
    """Return the process's engine: at most ten connections, each checked before use."""
    url = settings().database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(
        url,
        pool_size=5,
        max_overflow=5,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text ends up in logs, and its parameters are payloads
        creator=lambda: PatientConnection.connect(settings().database_url, application_name="taxiway", **PATIENCE),
    )
