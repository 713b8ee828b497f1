"""Links of each process to PostgreSQL and Valkey, so that each process can be cut off alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from ops.chaos.link_loop import LinkLoop
from ops.chaos.proxy import Link, Mode, Streams
from ops.child import Command
from ops.stack.fleet import Fleet
from ops.stack.servers import DATABASE, Servers

PROXIED = ("api", "scheduler", "worker")


@dataclass(frozen=True)
class Ways:
    """One process's links."""

    database: Link
    broker: Link


class Links:
    """The links of all processes by name, made at the first start of a process."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._switchboard = LinkLoop()
        self._ways: dict[str, Ways] = {}
        self._lock = threading.Lock()

    def environment(self, name: str) -> dict[str, str]:
        """Return the addresses of the servers for the process `name`."""
        if name.partition("-")[0] not in PROXIED:
            return {}
        ways = self.of(name)
        valkey = self._servers.valkey
        assert valkey is not None
        return {
            "TAXIWAY_DATABASE_URL": f"postgresql://postgres@127.0.0.1:{ways.database.port}/{DATABASE}",
            "TAXIWAY_REDIS_URL": f"redis://:{valkey.password}@127.0.0.1:{ways.broker.port}/0",
        }

    def of(self, name: str) -> Ways:
        with self._lock:
            if name not in self._ways:
                link = self._switchboard.link
                self._ways[name] = Ways(link(self._to_database), link(self._to_broker))
            return self._ways[name]

    def names(self) -> list[str]:
        """Return the processes that have links."""
        with self._lock:
            return list(self._ways)

    def switch_database(self, names: list[str], mode: Mode) -> None:
        for name in names:
            self._switchboard.do(self.of(name).database.switch, mode)

    def switch_broker(self, names: list[str], mode: Mode) -> None:
        for name in names:
            self._switchboard.do(self.of(name).broker.switch, mode)

    def cut_database(self, names: list[str]) -> None:
        for name in names:
            self._switchboard.do(self.of(name).database.cut)

    def stop(self) -> None:
        self._switchboard.stop()

    async def _to_database(self) -> Streams:
        server = self._servers.postgres
        assert server is not None
        return await asyncio.open_unix_connection(str(server.sockets / ".s.PGSQL.5432"))

    async def _to_broker(self) -> Streams:
        server = self._servers.valkey
        assert server is not None
        return await asyncio.open_connection("127.0.0.1", server.port)


class LinkedFleet(Fleet):
    """A fleet whose processes reach the servers through links."""

    links: Links

    def command(self, name: str, argv: list[str], env: Mapping[str, str] | None = None) -> Command:
        return super().command(name, argv, {**self.links.environment(name), **(env or {})})
