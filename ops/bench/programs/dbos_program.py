"""The same work as `ops.bench.agents`, written for DBOS; runs under the interpreter of DBOS's own environment.

    python dbos_program.py ROLE DATABASE_URL [SETTINGS]

ROLE `worker` serves the queue, declared with JSON arguments of `register_queue`, until its standard input ends. ROLE
`client` (enqueues) and ROLE `direct` (executes in its own threads, without a queue) answer each line of JSON on standard
input with one on standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbos import DBOS, DBOSClient, DBOSConfig  # type: ignore[import-not-found]  # lives in another environment
from sqlalchemy import create_engine

QUEUE = "bench"


@DBOS.step()  # type: ignore[untyped-decorator]  # as above
def add(total: int, i: int) -> int:
    return total + i


@DBOS.step()  # type: ignore[untyped-decorator]
def now() -> float:
    return time.time()


@DBOS.workflow()  # type: ignore[untyped-decorator]
def sums(steps: int) -> int:
    total = 0
    for i in range(steps):
        total = add(total, i)
    return total


@DBOS.workflow()  # type: ignore[untyped-decorator]
def stamp() -> float:
    return float(now())


@DBOS.workflow()  # type: ignore[untyped-decorator]
def paced(steps: int) -> list[float]:
    stamps = [time.perf_counter()]
    for i in range(steps):
        add(0, i)
        stamps.append(time.perf_counter())
    return stamps


def launch(url: str) -> None:
    config: DBOSConfig = {
        "name": "bench",
        "executor_id": str(os.getpid()),
        "system_database_url": url,
        "application_version": "1",  # the client's runs have no version of their own: any worker takes them
        "run_admin_server": False,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()


def work(url: str, settings: dict[str, Any]) -> None:
    launch(url)
    DBOS.register_queue(QUEUE, **settings)
    say({"ready": True})
    sys.stdin.read()
    DBOS.destroy()


class Client:
    """Commands of a process that only enqueues."""

    def __init__(self, url: str) -> None:
        self.client = DBOSClient(system_database_url=url)
        self.engine = create_engine(url)

    def enqueue(self, queue: str, steps: int, count: int) -> list[float]:
        """Enqueue runs one by one; return the times of beginning and end."""
        began = time.time()
        for _ in range(count):
            self.client.enqueue({"queue_name": queue, "workflow_name": "sums"}, steps)
        return [began, time.time()]

    def enqueue_together(self, queue: str, steps: int, count: int) -> list[float]:
        """Enqueue runs in one transaction; return the times of beginning and end."""
        began = time.time()
        with self.engine.begin() as connection:
            for _ in range(count):
                options = {"queue_name": queue, "workflow_name": "sums"}
                self.client.enqueue_in_transaction(connection, options, steps)
        return [began, time.time()]

    def starts(self, pauses: list[float]) -> list[float]:
        """Enqueue a run before each pause; return the seconds from each enqueue to the start of its first step."""
        enqueued = []
        for pause in pauses:
            began = time.time()
            handle = self.client.enqueue({"queue_name": QUEUE, "workflow_name": "stamp"})
            enqueued.append((began, handle))
            time.sleep(pause)
        return [float(handle.get_result()) - began for began, handle in enqueued]


class Direct:
    """Commands of a process that executes workflows in its own threads."""

    def __init__(self, url: str) -> None:
        launch(url)

    def paced(self, steps: int) -> list[float]:
        return list(paced(steps))

    def throughput(self, runs: int, steps: int, threads: int) -> float:
        """Return runs per second."""
        with ThreadPoolExecutor(threads) as pool:
            began = time.perf_counter()
            list(pool.map(sums, [steps] * runs))
            return runs / (time.perf_counter() - began)


def say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


def answer_lines(answerer: object) -> None:
    """Answer `{"do": METHOD, …arguments}` lines until the input ends."""
    say({"ready": True})
    for line in sys.stdin:
        question = json.loads(line)
        method: Callable[..., Any] = getattr(answerer, question.pop("do"))
        say(method(**question))


if __name__ == "__main__":
    role, database_url, *rest = sys.argv[1:]
    if role == "worker":
        work(database_url, json.loads(rest[0]))
    else:
        answer_lines((Client if role == "client" else Direct)(database_url))
