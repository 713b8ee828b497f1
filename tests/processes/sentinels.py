"""A master, its replica and two sentinels that watch them: real servers, for tests of a failover."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from ops.child import Child, Command
from ops.embedded import ValkeyServer
from ops.embedded.programs import valkey_program
from ops.ports import free_port

GROUP = "taxi"
PATIENCE = 30.0
TIMINGS = {"down-after-milliseconds": 1000, "failover-timeout": 4000, "parallel-syncs": 1}


@dataclass
class Watched:
    """Two servers, one of them the master, behind two sentinels."""

    servers: list[ValkeyServer]
    ports: list[int]
    password: str

    @property
    def url(self) -> str:
        """Return the address for the settings; its first sentinel never existed."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in (9, *self.ports))
        return f"sentinel://:{self.password}@{hosts}/0?master={GROUP}&sentinel_password={self.password}"

    def master_port(self) -> int:
        """Ask the first sentinel for the master."""
        with redis.Redis(port=self.ports[0], password=self.password) as sentinel:
            return int(sentinel.sentinel_get_master_addr_by_name(GROUP)[1])

    def kill_master(self) -> None:
        """Kill the master, and wait until both sentinels name the other server."""
        port = self.master_port()
        server = next(server for server in self.servers if server.port == port)
        assert server.child is not None
        server.child.kill()
        _until(lambda: self.master_port() != port)

    def may_fail_over(self) -> bool:
        """Return whether both sentinels know each other and the replica, which has caught up."""
        for port in self.ports:
            with redis.Redis(port=port, password=self.password) as sentinel:
                seen = sentinel.sentinel_masters()[GROUP]
            if not (seen["num-other-sentinels"] == 1 and seen["num-slaves"] == 1):
                return False
        with redis.Redis(port=self.servers[1].port, password=self.password) as replica:
            return bool(replica.info("replication")["master_link_status"] == "up")


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Start them, and wait until a failover is possible."""
    with ExitStack() as started:
        master = started.enter_context(ValkeyServer(folder / "one"))
        replica = ValkeyServer(folder / "two")
        replica.password = master.password
        replica.settings = {"replicaof": f"127.0.0.1 {master.port}", "masterauth": master.password}
        started.enter_context(replica)
        with redis.Redis(port=master.port, password=master.password) as client:
            client.config_set("masterauth", master.password)
        group = Watched([master, replica], [_sentinel(folder, started, n, master) for n in (1, 2)], master.password)
        _until(group.may_fail_over)
        yield group


def _sentinel(folder: Path, started: ExitStack, number: int, master: ValkeyServer) -> int:
    port, home = free_port(), folder / f"sentinel-{number}"
    home.mkdir()
    settings = [
        f"port {port}", "bind 127.0.0.1", f'dir "{home}"', f"requirepass {master.password}",
        f"sentinel sentinel-pass {master.password}",
        f"sentinel monitor {GROUP} 127.0.0.1 {master.port} 2", f"sentinel auth-pass {GROUP} {master.password}",
        *(f"sentinel {name} {GROUP} {value}" for name, value in TIMINGS.items()),
    ]  # fmt: skip
    (home / "sentinel.conf").write_text("\n".join(settings) + "\n")
    command = [str(valkey_program()), str(home / "sentinel.conf"), "--sentinel"]
    child = Child(Command(f"sentinel-{number}", command, home / "log"))
    started.callback(child.kill)
    return port


def _until(fact: object) -> None:
    assert callable(fact)
    deadline = time.monotonic() + PATIENCE
    while not _seen(fact):
        assert time.monotonic() < deadline, "the sentinels do not come to it"
        time.sleep(0.05)  # the fact belongs to another process; no signal to wait on


def _seen(fact: object) -> bool:
    try:
        return bool(fact())  # type: ignore[operator]  # checked by the caller
    except (redis.RedisError, KeyError):
        return False
