"""PostgreSQL and Valkey from Python wheels, for one machine without servers of its own."""

from ops.embedded.errors import DataInUse, EmbeddedError, NoSuchProgram, ServerFailed
from ops.embedded.postgres import DURABLE, FAST, PostgresServer
from ops.embedded.valkey import ValkeyServer

__all__ = [
    "DURABLE",
    "FAST",
    "DataInUse",
    "EmbeddedError",
    "NoSuchProgram",
    "PostgresServer",
    "ServerFailed",
    "ValkeyServer",
]
