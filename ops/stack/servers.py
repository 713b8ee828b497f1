"""The two servers of a stack: those of the options, otherwise embedded ones below its base folder."""

from __future__ import annotations

import psycopg

from ops.child import Child
from ops.embedded import PostgresServer, ValkeyServer
from ops.stack.options import StackOptions

DATABASE = "taxiway"


class Servers:
    """Addresses of PostgreSQL and Valkey, and the embedded servers, if they are ours."""

    def __init__(self, options: StackOptions) -> None:
        self.options = options
        self.postgres: PostgresServer | None = None
        self.valkey: ValkeyServer | None = None
        self.database_url = options.database_url or ""
        self.redis_url = options.redis_url or ""

    def start(self) -> None:
        """Start the servers that are not given; raise `EmbeddedError`."""
        if not self.options.database_url:
            self.postgres = PostgresServer(self.options.base, self.options.postgres_settings).start()
            self.database_url = self.postgres.url(DATABASE)
            self._make_database(self.postgres)
        if not self.options.redis_url:
            self.valkey = ValkeyServer(self.options.base).start()
            self.redis_url = self.valkey.url()

    def stop(self) -> None:
        """Stop the embedded servers, PostgreSQL last."""
        for server in (self.valkey, self.postgres):
            if server:
                server.stop()

    def children(self) -> list[Child]:
        """Return the processes that are ours."""
        return [server.child for server in (self.postgres, self.valkey) if server and server.child]

    def restart(self, child: Child) -> bool:
        """Restart the server whose process `child` was; False if it was not a server."""
        for server in (self.postgres, self.valkey):
            if server and server.child is child:
                server.start()
                return True
        return False

    @staticmethod
    def _make_database(server: PostgresServer) -> None:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")
