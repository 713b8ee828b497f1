"""Two tenants share a worker, and one of them is hostile: it reads nothing of the other, and the other's runs all succeed.

The hostile tenant patches the functions that frames pass through, leaves daemons that read every descriptor, memory,
environment and file they can, traces, signals and limits the worker and its hosts, ends its own host, and fouls its
channel. It has words of its own in the same places, and finds them: this proves that it searches. One run of each kind of
harm is in the queue before the first good one, and each begins. `DRILLS=full` takes 500 runs.

    accounts       each host has an account (TAXIWAY_HOST_USER): nothing of the good tenant is found anywhere
    one account    memory, environment, descriptors and life of a process are shielded by the domain of each host. Its files are
                   not, nor its limits and priority (prlimit, setpriority): these two the tenants leave out
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from tests.conftest import ROOT, Servers
from tests.processes.fleet import Fleet, Process, fleet_of
from tests.processes.other_accounts import FIRST, interpreter_in, needs_root, open_folder
from tests.system.drill import size

AGENTS = ROOT / "tests" / "system" / "agents" / "hostile.py"
RUNS, SENTINELS, SLOTS, TOGETHER = size(500, 24), 20, 4, 2
KINDS = 6
"""Kinds of harm that the hostile agent knows; its number `n` decides which it does."""
BECOME = """
import os, sys
uid = int(sys.argv[1])
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
os.execv(sys.argv[2], sys.argv[2:])
"""


ENDED = ("SUCCESS", "FAILED", "CANCELED")


class Scene:
    """A worker, the words of the good tenant, and the findings of the hostile one."""

    def __init__(self, fleet: Fleet, folder: Path, *, accounts: bool) -> None:
        self.fleet, self.loot, self.accounts = fleet, folder / "loot", accounts
        self.loot.mkdir()
        self.loot.chmod(0o777)
        self.sentinels: set[str] = set()
        self.harm: list[UUID] = []

    def good(self) -> tuple[UUID, list[str]]:
        words = [f"sentinel-{secrets.token_hex(12)}" for _ in range(SENTINELS)]
        self.sentinels.update(words)
        return self.fleet.enqueue("good", tenant="good", words=words, keep_files=self.accounts), words

    def do_harm(self) -> None:
        """Keep as many hostile runs in the queue as good ones."""
        open_ones = [run for run in self.harm if self.fleet.run(run)["status"] not in ENDED]
        self._enqueue_harm(TOGETHER - len(open_ones))

    def _enqueue_harm(self, count: int) -> None:
        for _ in range(count):
            given = {"loot": str(self.loot), "n": len(self.harm), "limit_others": self.accounts}
            self.harm.append(self.fleet.enqueue("hostile", tenant="bad", **given))

    def play(self) -> None:
        """Execute all runs of the good tenant, a few at a time, and check the result of each."""
        self._enqueue_harm(KINDS)
        waiting: list[tuple[UUID, list[str]]] = []
        for n in range(RUNS + TOGETHER):
            self.do_harm()
            if n < RUNS:
                waiting.append(self.good())
            if n >= TOGETHER:
                run, words = waiting.pop(0)
                turned = [word[::-1] for word in words]
                assert self.fleet.result(run) == {"turned": turned, "seen": words, "words": words}

    def begun(self) -> int:
        """Return how many of the first run of each kind have begun."""
        query = "SELECT count(*) AS n FROM run WHERE id = ANY(%s) AND started_at IS NOT NULL"
        row = self.fleet.database.execute(query, [self.harm[:KINDS]]).fetchone()
        return int(row["n"]) if row else 0

    def found(self) -> str:
        """Return everything that the hostile tenant has written down."""
        return "\n".join(file.read_text(errors="replace") for file in self.loot.iterdir())


@contextmanager
def _fleet(servers: Servers, template: str, shared: Path, folder: Path, **environment: str) -> Iterator[Fleet]:
    agents = folder / "hostile_agents.py"
    shutil.copy(AGENTS, agents)
    settings = {"TAXIWAY_AGENTS": str(agents), "TAXIWAY_SECRET_KEY": f"sentinel-{secrets.token_hex(12)}", **environment}
    with fleet_of(servers, template, shared, folder, **settings) as fleet:
        fleet.scheduler()
        yield fleet


def _opened(url: str, folder: Path) -> str:
    """Link PostgreSQL's socket, which is in a closed folder, into an open one; return the address by that."""
    address, _, sockets = url.partition("?host=")
    for socket in Path(sockets).glob(".s.PGSQL.*"):
        if socket.is_socket():
            (folder / socket.name).hardlink_to(socket)
    return f"{address}?host={folder}"


def _worker_not_as_root(fleet: Fleet, python: str) -> Process:
    """Start a worker that is not root, so that its hosts are not either."""
    command = [python, "-m", *fleet.worker_command("w1", SLOTS, "default")]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("TAXIWAY_")}
    environment = {**bare, **fleet.settings, "TAXIWAY_WORKER_NAME": "w1", "HOME": "/"}
    environment["TAXIWAY_DATABASE_URL"] = _opened(fleet.database_url, fleet.folder)
    become = [sys.executable, "-c", BECOME, str(FIRST + 500)]
    fleet.processes.append(Process("w1", [*become, *command], environment, fleet.folder))
    fleet.until(lambda: fleet.worker_row("w1")["consuming_at"], "the worker consumes")
    return fleet.processes[-1]


def _judge(scene: Scene) -> None:
    worker = scene.fleet.processes[-1]
    scene.play()
    scene.fleet.until(lambda: scene.begun() == KINDS, "each kind of harm has begun")
    found = scene.found()
    assert "own" in found, "what is its own it finds"
    leaked = [word for word in scene.sentinels if word in found]
    assert not leaked, [part for part in found.split("\n\n") if leaked[0] in part][:3]
    assert scene.fleet.settings["TAXIWAY_SECRET_KEY"] not in found
    assert "sentinel-traced" not in found
    assert worker.popen.poll() is None
    assert scene.fleet.database.execute("SELECT count(*) AS n FROM worker").fetchone() == {"n": 1}, (
        "one worker, never anew"
    )


@needs_root
def test_under_accounts_of_their_own_hosts_of_a_hostile_tenant_find_nothing_of_another(
    servers: Servers, template_database: str, shared_folder: Path
) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        pool = {"TAXIWAY_HOST_USER": f"{FIRST + 100}-{FIRST + 131}", "TAXIWAY_AGENT_PYTHON": interpreter_in(folder)}
        fleet = stack.enter_context(_fleet(servers, template_database, shared_folder, folder, **pool))
        fleet.worker("w1", SLOTS)
        _judge(Scene(fleet, folder, accounts=True))


def test_under_one_account_hosts_of_a_hostile_tenant_find_nothing_in_processes_of_another(
    servers: Servers, template_database: str, shared_folder: Path
) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        fleet = stack.enter_context(_fleet(servers, template_database, shared_folder, folder))
        as_root = os.getuid() == 0
        worker = _worker_not_as_root(fleet, interpreter_in(folder)) if as_root else fleet.worker("w1", SLOTS)
        if "keeps_from='signals and tracing'" not in worker.said():
            pytest.skip("the kernel has no scope of signals (Linux 6.12 or newer)")
        _judge(Scene(fleet, folder, accounts=False))
