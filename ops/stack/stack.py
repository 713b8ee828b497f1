"""Stack: starts everything in order, supervises it, and stops it in reverse order.

    lock ─► servers ─► migrate ─► api, schedulers, workers ─► key ─► slots offered ─► Flower ─► up.env

An error during the start stops everything that already runs. Nothing is restarted here; `ops.stack.supervision` does that for
a stack that must stay up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Self

from ops.child import Child
from ops.logfile import rotate
from ops.ports import free_port
from ops.stack import commands, http, upfile
from ops.stack.environment import environment
from ops.stack.errors import ChildEnded, Halted, NotReady
from ops.stack.fleet import Fleet
from ops.stack.halt import Halt
from ops.stack.lock import BaseLock
from ops.stack.options import StackOptions
from ops.stack.ports import choose_port
from ops.stack.servers import Servers
from ops.stack.setup import run_to_end
from ops.stack.shutdown import end

PATIENCE = 15.0
"""Seconds for processes to end after a request."""
LOOK_EVERY = 0.05


class Stack:
    """Everything on one machine; use it in a `with` statement, or call `start` and `stop`."""

    def __init__(self, options: StackOptions | None = None, halt: Halt | None = None) -> None:
        options = options or StackOptions()
        self.options = replace(options, base=options.base.absolute())
        self.halt = halt or Halt()
        self.logs = self.options.base / "logs"
        self.servers = Servers(self.options)
        self.fleet = Fleet(self.options, {}, self.logs)
        self.url = ""
        self.flower_url = ""
        self.api_key = ""
        self._lock = BaseLock(self.options.base)

    @property
    def database_url(self) -> str:
        return self.servers.database_url

    @property
    def redis_url(self) -> str:
        return self.servers.redis_url

    @property
    def flower_auth(self) -> str:
        """Return `user:password` of Flower."""
        return self.fleet.env["FLOWER_BASIC_AUTH"]

    @property
    def api(self) -> Child:
        return self.fleet.children["api"]

    @property
    def schedulers(self) -> list[Child]:
        return self.fleet.of_kind("scheduler")

    @property
    def workers(self) -> list[Child]:
        return self.fleet.of_kind("worker")

    def start(self) -> Self:
        """Return when all slots are offered; raise `StackError` or `EmbeddedError`, with nothing left running."""
        self._lock.acquire()
        try:
            self._bring_up()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all processes in reverse order; a hastened halt kills instead of waiting."""
        end([*self.workers, *self.fleet.of_kind("flower")], PATIENCE, self.halt)
        end([*self.schedulers, *self.fleet.of_kind("api")], PATIENCE, self.halt)
        self.fleet.children.clear()
        self.servers.stop()
        if self._lock.held:
            self._forget_addresses()
        self._lock.release()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def look(self) -> None:
        """Raise `Halted` if a stop was requested, `ChildEnded` if a process ended by itself."""
        if self.halt.asked.is_set():
            raise Halted
        for child in [*self.fleet.children.values(), *self.servers.children()]:
            if not child.running:
                raise ChildEnded(child)

    def wait_until(self, fact: str, happened: Callable[[], bool], seconds: float | None = None) -> None:
        """Wait for a condition while everything runs; raise the errors of `look`, or `NotReady`."""
        seconds = seconds or self.options.patience
        deadline = time.monotonic() + seconds
        while not happened():
            self.look()
            if time.monotonic() > deadline:
                raise NotReady(fact, seconds, self.logs)
            time.sleep(LOOK_EVERY)

    def wait_for_slots(self, slots: int) -> None:
        """Wait until live workers of the stack's queue offer so many slots."""
        queue = self.options.queue
        self.wait_until(
            f"the workers of queue {queue} offered {slots} slots",
            lambda: http.slots_of(self.url, self.api_key, queue) >= slots,
        )

    def write_upfile(self) -> None:
        """Publish the addresses of this stack in `up.env` and the lock."""
        values = {
            "TAXIWAY_URL": self.url,
            "TAXIWAY_API_KEY": self.api_key,
            "FLOWER_URL": self.flower_url,
            "FLOWER_BASIC_AUTH": self.flower_auth,
            "TAXIWAY_DATABASE_URL": self.database_url,
            "TAXIWAY_REDIS_URL": self.redis_url,
        }
        for kind in ("api", "scheduler", "worker"):
            pids = (str(child.pid) for child in self.fleet.of_kind(kind))
            values[f"TAXIWAY_PIDS_{kind.upper()}"] = ",".join(pids)
        upfile.write(self.options.base, values)

    def _forget_addresses(self) -> None:
        """Keep only the key in `up.env`: all else in it is true only while the stack runs."""
        kept = {name: value for name, value in upfile.read(self.options.base).items() if name == "TAXIWAY_API_KEY"}
        upfile.write(self.options.base, kept)

    def _bring_up(self) -> None:
        rotate(self.logs)
        port, flower_port = choose_port(self.options.port), free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.flower_url = f"http://127.0.0.1:{flower_port}" if self.options.flower else ""
        self.servers.start()
        self.fleet.env = environment(
            self.options,
            database_url=self.database_url,
            redis_url=self.redis_url,
            port=port,
            flower_port=flower_port,
        )
        if not self.options.migrated:
            self._run("Migrating the database", "migrate", commands.migrate())
        self._launch_all(port)
        self._find_or_create_key()
        self.wait_for_slots(self.options.workers * self.options.slots)
        if self.flower_url:
            # Last: Flower queries the workers when it starts, and seldom later.
            self.fleet.start_flower()
            self.wait_until("Flower answered", lambda: http.answers_ok(f"{self.flower_url}/healthcheck"))
        self.write_upfile()

    def _launch_all(self, port: int) -> None:
        self.fleet.start_api(port)
        for number in range(1, self.options.schedulers + 1):
            self.fleet.start_scheduler(number)
        for number in range(1, self.options.workers + 1):
            self.fleet.start_worker(number)

    def _find_or_create_key(self) -> None:
        """Reuse the key of the last start if the database still knows it; return when the API is ready."""
        old = upfile.read(self.options.base).get("TAXIWAY_API_KEY")
        if not old:
            self.api_key = self._create_key()  # while the API starts
        self.wait_until("the API was ready", lambda: http.answers_ok(f"{self.url}/ready"))
        if old:
            known = http.answers_ok(f"{self.url}/v1/capacity", api_key=old)
            self.api_key = old if known else self._create_key()

    def _create_key(self) -> str:
        return self._run("Creating an API key", "keys", commands.create_key("up")).split()[-1]

    def _run(self, what: str, name: str, argv: list[str]) -> str:
        return run_to_end(what, self.fleet.command(name, argv), self.look)
