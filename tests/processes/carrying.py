"""Activations of real agent hosts, led as by a supervision, without a worker."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from executor.hosts import Host, HostPool
from models.runtime.settings import Settings
from tests.processes.fleet import HEAD, PATIENCE

GOOD = """
    @agent(queue="money", timeout="2m")
    def echo(run: Run, value: int = 1) -> int:
        "Give it back."
        return value
"""


@contextmanager
def pools_in(folder: Path) -> Iterator[Callable[..., HostPool]]:
    """Return a function that makes a pool serving a source; all are stopped afterwards."""
    made: list[HostPool] = []

    def make(source: str | None = GOOD, slots: int = 1, **settings: Any) -> HostPool:
        agents = folder / "my_agents.py"
        if source is not None:
            agents.write_text(HEAD + textwrap.dedent(source))
        given = {"agents": str(agents), "secret_key": "k" * 16, **settings}
        made.append(HostPool(Settings(**given), slots))
        return made[-1]

    yield make
    for pool in made:
        pool.stop()


def until(fact: Callable[[], Any], what: object) -> None:
    """Wait for a fact of another process or thread."""
    deadline = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)  # no signal to wait on


def activate(host: Host, activation: str, agent: str = "echo", **given: Any) -> None:
    """Begin an activation on the host."""
    host.begin(activation)
    told = {"runId": "r", "epoch": 1, "number": 1, "userId": None, "metadata": {}, "tenant": "t"}
    more = {"input": json.dumps(given), "limits": {"value": 1 << 20, "result": 1 << 20, "event": 1 << 16}}
    host.send({"frame": "activate", "activation": activation, "agent": agent, "timeoutMs": None, **told, **more})
    host.send({"frame": "recorded", "activation": activation, "steps": [], "last": True})


def carry(host: Host, activation: str, agent: str = "echo", **given: Any) -> dict[str, Any]:
    """Execute an activation on the host and return its end."""
    activate(host, activation, agent, **given)
    while True:
        frame = host.receive(PATIENCE)
        assert frame is not None
        if frame["frame"] in ("finish", "fail"):
            host.try_send({"frame": "ack", "activation": activation, "n": frame["n"]})
            return frame
