"""Fixtures of all tests: shared servers, a database of its own, a broker database, a whole stack.

No fixture is automatic or started before a test requests it. All processes of one pytest run share one PostgreSQL and
one Valkey; a process keeps them that ends when pytest does.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
import redis

import ops.child
from ops.stack import Stack, StackOptions
from tests import warm
from tests.sharing import SystemsTogether, in_order, is_quick

# A busy machine is not a fault of the code: examples of properties have no deadline.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")

ops.child.spawn = warm.spawn  # type: ignore[assignment]  # the servers of a stack start warm

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "taxiway_template"


def pytest_configure() -> None:
    """Remove what a developer's shell sets for another installation."""
    for name in [name for name in os.environ if name.startswith(("TAXIWAY_", "FLOWER_", "CELERY_"))]:
        if not name.endswith("_BIN") and name not in ("TAXIWAY_SIMULATIONS", "TAXIWAY_SIMULATION", "TAXIWAY_PROGRAMS"):
            del os.environ[name]


def pytest_sessionfinish() -> None:
    """End the process from which servers were started."""
    warm.stop()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest first, and mark those that answer within a minute: `make test ARGS='-m quick'`."""
    in_order(items)
    for item in items:
        if is_quick(item.nodeid.partition("::")[0]):
            item.add_marker("quick")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SystemsTogether | None:
    """Distribute the tests by files, but keep those of whole systems together."""
    return SystemsTogether(config, log) if config.getvalue("dist") == "loadfile" else None


@dataclass(frozen=True)
class Servers:
    """The servers shared by all processes of this pytest run."""

    postgres: str
    valkey: str

    def database(self, name: str) -> str:
        """Return the address of the PostgreSQL database `name`."""
        return self.postgres.replace("/postgres?", f"/{name}?")

    def broker(self, number: int) -> str:
        """Return the address of the Valkey database `number`."""
        return self.valkey.removesuffix("/0") + f"/{number}"


@contextmanager
def one_process_at_a_time(lock: Path) -> Iterator[None]:
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the temporary folder that all processes of this pytest run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def servers(shared_folder: Path) -> Servers:
    """Return the servers of this pytest run; the first process that requests them starts them."""
    base = shared_folder / "servers"
    ready = base / "servers.json"
    with one_process_at_a_time(shared_folder / "servers.lock"):
        if not ready.exists():
            _start_keeper(base, ready)
    return Servers(**json.loads(ready.read_text()))


def _start_keeper(base: Path, ready: Path) -> None:
    controller = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    base.mkdir()
    log = base / "keeper.log"
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "ops.embedded.keeper", str(base), str(controller)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + 60
    while not ready.exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"the servers for the tests did not start:\n{log.read_text()}", pytrace=False)
        time.sleep(0.02)
    # It outlives this process on purpose and is not collected here: say so, or the interpreter warns.
    keeper.returncode = 0


@pytest.fixture(scope="session")
def template_database(servers: Servers, shared_folder: Path) -> str:
    """Return the name of a migrated, empty database to clone; created once per pytest run."""
    done = shared_folder / "template.done"
    with one_process_at_a_time(shared_folder / "template.lock"):
        if not done.exists():
            with psycopg.connect(servers.postgres, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {TEMPLATE}")
            environment = {**os.environ, "TAXIWAY_DATABASE_URL": servers.database(TEMPLATE)}
            command = [sys.executable, "-m", "alembic", "upgrade", "head"]
            migrated = subprocess.run(
                command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
            )
            if migrated.returncode != 0:
                with psycopg.connect(servers.postgres, autocommit=True) as connection:
                    connection.execute(f"DROP DATABASE {TEMPLATE} WITH (FORCE)")
                pytest.fail(
                    f"alembic upgrade head failed:\n{(migrated.stdout + migrated.stderr)[-3000:]}", pytrace=False
                )
            done.touch()
    return TEMPLATE


@contextmanager
def cloned_database(servers: Servers, template: str) -> Iterator[str]:
    """Return the address of a fresh clone of `template`, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield servers.database(name)
    finally:
        with psycopg.connect(servers.postgres, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def database_url(servers: Servers, template_database: str) -> Iterator[str]:
    """Return a migrated, empty database for this test only."""
    with cloned_database(servers, template_database) as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Callable[..., psycopg.Connection[Any]]]:
    """Return a function that opens another connection to this test's database; all are closed afterwards."""
    opened: list[psycopg.Connection[Any]] = []

    def connect(**options: Any) -> psycopg.Connection[Any]:
        opened.append(psycopg.connect(database_url, **options))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@contextmanager
def empty_broker(servers: Servers, first: int) -> Iterator[str]:
    """Return the address of an empty Valkey database that no other process of this run uses, counted from `first`."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    url = servers.broker(first + process)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture
def redis_url(servers: Servers) -> Iterator[str]:
    """Return an empty Valkey database for this test only."""
    with empty_broker(servers, 1) as url:
        yield url


class StackFactory:
    """Builds a whole Taxiway on a database of its own; a new one replaces the previous one."""

    def __init__(self, servers: Servers, template: str, folder: Path) -> None:
        self.servers = servers
        self.template = template
        self.folder = folder
        self.number = 0
        self.open = ExitStack()

    def __call__(self, *, own_servers: bool = False, **options: Any) -> Stack:
        """Start a stack with `StackOptions(**options)`: a free port and no Flower by default.

        It uses the shared servers; tests that kill servers get durable ones of their own (`own_servers=True`).
        """
        self.open.close()
        self.number += 1
        if not own_servers:
            options["database_url"] = self.open.enter_context(cloned_database(self.servers, self.template))
            options["migrated"] = True
            options["redis_url"] = self.open.enter_context(empty_broker(self.servers, 32))
        chosen = {"base": self.folder / f"stack-{self.number}", "port": 0, "flower": False, **options}
        return self.open.enter_context(Stack(StackOptions(**chosen)))


@pytest.fixture(scope="module")
def stack(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StackFactory]:
    """Return a factory of stacks to one module at a time: two whole stacks would disturb each other's clocks."""
    with one_process_at_a_time(shared_folder / "stack.lock"):
        factory = StackFactory(servers, template_database, tmp_path_factory.mktemp("stack"))
        with factory.open:
            yield factory
