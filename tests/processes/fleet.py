"""A small Taxiway of real processes for one module of tests: a scheduler, workers, a database and a broker of their own.

The functions of the law do here what the HTTP interface would do (enqueue, cancel), so that a test of workers needs no
server in between.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import psutil
import psycopg
from psycopg.rows import dict_row

from models import control_requests, moves
from models import idle_ends as ends
from models.lifecycle import Reason
from models.runs.enqueue import NewRun, enqueue
from models.runtime.bus import PROMOTE, worker_channel
from models.runtime.redis_client import open_redis
from models.waiting import waits
from models.waiting.wake import wake_run
from tests import warm
from tests.conftest import ROOT, Servers, cloned_database, empty_broker, one_process_at_a_time

TENANT = "acme"
PATIENCE = 30.0
HEAD = """
import asyncio, ctypes, json, os, socket, subprocess, sys, threading, time
from pathlib import Path
from taxiway import AsyncRun, Retry, Run, agent, step

LOG = Path(__file__).parent / "effects"


def effect(what):
    with LOG.open("a") as log:
        log.write(f"{what}\\n")

"""


class Process:
    """One process of the fleet, its output in a file."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        self.popen: warm.Warm | subprocess.Popen[bytes]
        with self.log.open("wb") as output:
            if warm.is_warm(command, ROOT):
                self.popen = warm.start(command, output, environment)
            else:
                self.popen = subprocess.Popen(
                    command,
                    cwd=ROOT,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def kill(self) -> None:
        """End it without warning, as a machine that loses power does."""
        self.popen.kill()
        self.popen.wait(PATIENCE)

    def terminate(self) -> None:
        """Ask it to drain and end."""
        self.popen.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Wait for its end; several concurrent starts take longer."""
        return self.popen.wait(2 * PATIENCE)

    def hosts(self) -> list[psutil.Process]:
        """List its living agent hosts."""
        children = psutil.Process(self.pid).children()
        return [child for child in children if "taxiway.host" in _command(child)]

    def said(self) -> str:
        """Return everything that it logged."""
        return self.log.read_text(errors="replace")

    def tail(self) -> str:
        """Return the end of its log, for the message of a failed test."""
        return f"--- {self.name} (exit {self.popen.poll()})\n" + "\n".join(self.said().splitlines()[-25:])


class Fleet:
    """Starts processes, enqueues runs and waits for facts."""

    def __init__(self, database_url: str, redis_url: str, folder: Path, **environment: str) -> None:
        self.database_url, self.redis_url, self.folder = database_url, redis_url, folder
        self.processes: list[Process] = []
        self.agents_file = folder / "fleet_agents.py"
        self.settings = {
            "TAXIWAY_DATABASE_URL": database_url, "TAXIWAY_REDIS_URL": redis_url, "TAXIWAY_AGENTS": str(self.agents_file),
            "TAXIWAY_LEASE_SECONDS": "3", "TAXIWAY_CANCEL_GRACE_SECONDS": "1", "TAXIWAY_SECRET_KEY": "s" * 32, **environment,
        }  # fmt: skip
        self.database = psycopg.connect(database_url, autocommit=True, row_factory=dict_row)
        self.broker = open_redis(redis_url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        hosts = [host for process in self.processes if process.popen.poll() is None for host in process.hosts()]
        for process in self.processes:
            if process.popen.poll() is None:
                process.kill()
        for host in hosts:  # they would end by themselves, but not before the next module looks
            with _gone():
                os.killpg(host.pid, signal.SIGKILL)
        self.broker.close()
        self.database.close()

    # ------------------------------------------------------------------------------------------------------- processes
    def serve(self, source: str) -> None:
        """Write the agents file that later workers serve."""
        self.agents_file.write_text(HEAD + textwrap.dedent(source))

    def start(self, name: str, *command: str, **environment: str) -> Process:
        """Start a process of the application, with the fleet's settings."""
        bare = {name: value for name, value in os.environ.items() if not name.startswith("TAXIWAY_")}
        environment = {**bare, **self.settings, **environment}
        self.processes.append(Process(name, [sys.executable, "-m", *command], environment, self.folder))
        return self.processes[-1]

    def scheduler(self, name: str = "scheduler") -> Process:
        """Start a scheduler and wait until it leads or stands by."""
        process = self.start(name, "scheduler")
        self.until(lambda: "scheduler.started" in process.said(), "the scheduler starts")
        return process

    def worker_command(self, name: str, slots: int, queue: str) -> list[str]:
        """Return the command of the documentation."""
        return [
            "celery", "-A", "executor", "worker", "--pool", "threads", "-c", str(slots), "-Q", queue,
            "-n", f"{name}@%h", "--without-mingle", "--without-gossip",
        ]  # fmt: skip

    def worker(self, name: str, slots: int = 1, queue: str = "default", **environment: str) -> Process:
        """Start a worker and wait until it offers its slots."""
        settings = {"TAXIWAY_WORKER_NAME": name, **environment}
        process = self.start(name, *self.worker_command(name, slots, queue), **settings)
        self.until(lambda: self.worker_row(name)["consuming_at"], f"worker {name} consumes")
        return process

    def worker_row(self, name: str) -> dict[str, Any]:
        """Read the newest row of the worker with this label; its columns are None if it is missing."""
        return self.one(
            "SELECT * FROM (VALUES (1)) AS always LEFT JOIN worker ON name = %s ORDER BY started_at DESC", name
        )

    # ------------------------------------------------------------------------------------------------------------ runs
    def enqueue(self, agent: str, *, tenant: str = TENANT, timeout_ms: int | None = None, **given: Any) -> UUID:
        """Accept one run."""
        return self.enqueue_many([NewRun(agent, "default", json.dumps(given), timeout_ms=timeout_ms)], tenant)[0]

    def enqueue_many(self, runs: list[NewRun], tenant: str = TENANT) -> list[UUID]:
        """Accept runs in one transaction, then hint, as the API does."""
        with self.database.transaction():
            enqueue(self.database, tenant, runs)
        self.broker.publish(PROMOTE, "default")
        return [run.id for run in runs]

    def cancel(self, run: UUID, grace_ms: int = 1000) -> None:
        """Request a cancel as the API does: immediate if the run is not executing, otherwise through its worker."""
        asked = control_requests.request_cancel(run, TENANT, by="ann", comment="enough", grace_ms=grace_ms).one(
            self.database
        )
        if asked:
            self.broker.publish(worker_channel(asked.lease_worker), "")
        else:
            ends.cancel_idle(self.database, run, TENANT, reason=Reason.BY_USER, by="ann", comment="enough")

    def pause(self, run: UUID) -> None:
        """Request a pause of an executing run as the API does."""
        asked = control_requests.request_pause(run, by="ann", comment="later").one(self.database)
        assert asked is not None
        self.broker.publish(worker_channel(asked.lease_worker), "")

    def signal(self, run: UUID, name: str, payload: object = None, sender: str | None = None) -> None:
        """Send a signal as the API does."""
        with self.database.transaction():
            run_state = waits.lock_run(run, TENANT).one(self.database)
            assert run_state is not None
            kept = waits.keep_signal(run, name, payload=json.dumps(payload), sender=sender).one(self.database)
            if kept:
                wake_run(self.database, run_state, waits.deliver(run).all(self.database))
        self.broker.publish(PROMOTE, "")

    def resume(self, run: UUID) -> None:
        """End a user's pause as the API does."""
        assert moves.resume(run, reason=Reason.BY_USER, by="ann").one(self.database)
        self.broker.publish(PROMOTE, "")

    def run(self, run: UUID) -> dict[str, Any]:
        """Read the run row with its result and error."""
        return self.one("SELECT run.*, result, error FROM run JOIN payload ON run_id = id WHERE id = %s", run)

    def events(self, run: UUID, *types: str) -> list[dict[str, Any]]:
        """Read the run's events in order, all or those of some types."""
        rows = self.database.execute("SELECT * FROM event WHERE run_id = %s ORDER BY seq", [run]).fetchall()
        return [row for row in rows if not types or row["type"] in types]

    def verbs(self, run: UUID) -> list[str]:
        """Return the moves of the run."""
        return [event["verb"] for event in self.events(run) if event["verb"]]

    def log(self, run: UUID) -> list[str]:
        """Read what the run logged and printed."""
        rows = self.database.execute("SELECT message FROM log WHERE run_id = %s ORDER BY n", [run]).fetchall()
        return [row["message"] for row in rows]

    def effects(self, word: str = "") -> list[str]:
        """Read the effects of agents outside of Taxiway that begin with `word`."""
        log = self.folder / "effects"
        return [line for line in log.read_text().splitlines() if line.startswith(word)] if log.exists() else []

    def one(self, sql: str, *params: Any) -> dict[str, Any]:
        """Read one row that must exist."""
        row = self.database.execute(sql, params).fetchone()
        assert row is not None, sql
        return row

    # ----------------------------------------------------------------------------------------------------------- facts
    def until(self, fact: Callable[[], Any], what: str, seconds: float = PATIENCE) -> Any:
        """Wait until `fact()` is true and return it; a failure shows the last output of the processes."""
        deadline = time.monotonic() + seconds
        while not (seen := fact()):
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n" + "\n".join(self._tails())
            time.sleep(0.01)  # the fact belongs to another process; no signal to wait on
        return seen

    def status(self, run: UUID, *statuses: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until the run has one of the statuses and return its row."""
        self.until(lambda: self.run(run)["status"] in statuses, f"{run} is {' or '.join(statuses)}", seconds)
        return self.run(run)

    def ends(self, run: UUID, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until the run has ended and return its row."""
        return self.status(run, "SUCCESS", "FAILED", "CANCELED", seconds=seconds)

    def result(self, run: UUID, seconds: float = PATIENCE) -> Any:
        """Wait for the run's success and return its result."""
        row = self.ends(run, seconds)
        assert row["status"] == "SUCCESS", (row["error"], *self._tails())
        return row["result"]

    def in_step(self, run: UUID, step: str) -> None:
        """Wait until the agent is inside this step: its effect and the row show it."""
        self.until(
            lambda: (self.run(run)["step_in_flight"] or "").startswith((f"{step}#", f"{step}@")),
            f"{run} is in step {step}",
        )

    def may_judge(self) -> None:
        """Wait until the leader may declare workers dead: its own first lease, and the server's, have passed."""
        sql = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND objid = 7246002"
        self.until(lambda: self.one(sql)["n"], "somebody leads")
        age = "SELECT extract(epoch FROM now() - backend_start) AS s FROM pg_stat_activity WHERE application_name = %s"
        session = "taxiway scheduler"
        lease = float(self.settings["TAXIWAY_LEASE_SECONDS"])
        self.until(
            lambda: self.one(f"{age} AND datname = current_database() ORDER BY 1", session)["s"] > lease + 0.5, "age"
        )

    def _tails(self) -> list[str]:
        return [process.tail() for process in self.processes[-4:]]


def _command(process: psutil.Process) -> list[str]:
    with _gone():
        return process.cmdline()
    return []


def _gone() -> suppress:
    """Suppress the errors of a process that ends while it is inspected."""
    return suppress(psutil.NoSuchProcess, psutil.ZombieProcess, ProcessLookupError)


@contextmanager
def fleet_of(servers: Servers, template: str, shared_folder: Path, folder: Path, **environment: str) -> Iterator[Fleet]:
    """Return a fleet without processes, on its own database and broker; only one fleet exists at a time."""
    with (
        one_process_at_a_time(shared_folder / "fleet.lock"),
        cloned_database(servers, template) as database_url,
        empty_broker(servers, 16) as redis_url,
        Fleet(database_url, redis_url, folder, **environment) as fleet,
    ):
        yield fleet


def pid_is_gone(pid: int) -> bool:
    """Return whether no such process exists, or only a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
