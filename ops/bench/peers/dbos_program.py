"""The same work as `ops.bench.agents`, written for DBOS; runs under the interpreter of DBOS's own environment.

    python dbos_program.py ROLE DATABASE_URL POLL_SECONDS

ROLE `worker` serves the queue until its standard input ends. ROLE `client` (enqueues) and ROLE `direct` (executes in its
own threads, without a queue) answer each line of JSON on standard input with one on standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dbos import DBOS, DBOSClient, DBOSConfig  # type: ignore[import-not-found]  # lives in another environment

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
        "system_database_url": url,
        "application_version": "1",  # the client's runs have none of their own: any worker takes them
        "run_admin_server": False,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()


def work(url: str, poll: float) -> None:
    """Serve the queue without a limit per worker: with one, DBOS starts at most that many runs per poll."""
    launch(url)
    DBOS.register_queue(QUEUE, polling_interval_sec=poll)
    say({"ready": True})
    sys.stdin.read()
    DBOS.destroy()


class Client:
    """What a process that only enqueues can do."""

    def __init__(self, url: str) -> None:
        self.client = DBOSClient(system_database_url=url)

    def enqueue(self, workflow: str, count: int, arguments: list[Any]) -> float:
        """Return when the first of `count` runs was about to be enqueued; the last one is enqueued by now."""
        began = time.time()
        for _ in range(count):
            self.client.enqueue({"queue_name": QUEUE, "workflow_name": workflow}, *arguments)
        return began

    def latency(self, pause: float) -> float:
        """Return the seconds from enqueuing a run until its first step started."""
        time.sleep(pause)
        began = time.time()
        handle = self.client.enqueue({"queue_name": QUEUE, "workflow_name": "stamp"})
        return float(handle.get_result(polling_interval_sec=0.01)) - began


class Direct:
    """What a process does that executes workflows in threads of its own."""

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
    """Answer `{"do": METHOD, …arguments}` lines until there are no more."""
    say({"ready": True})
    for line in sys.stdin:
        question = json.loads(line)
        method: Callable[..., Any] = getattr(answerer, question.pop("do"))
        say(method(**question))


if __name__ == "__main__":
    role, database_url, poll_seconds = sys.argv[1:]
    if role == "worker":
        work(database_url, float(poll_seconds))
    else:
        answer_lines((Client if role == "client" else Direct)(database_url))
