"""Messages to Flower about runs: all of them, a few a second, and the last ones when a worker ends."""

from __future__ import annotations

import json
import signal
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.flower_events import GATHER_SECONDS
from models.runs.enqueue import NewRun
from tests.conftest import Servers
from tests.processes.fleet import Fleet, fleet_of

RUNS = 60
AGENTS = """
    @agent
    def quick(run: Run) -> int:
        def one():
            return 1
        return run.step(one)
    """


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    with fleet_of(servers, template_database, shared_folder, tmp_path_factory.mktemp("telling")) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        yield fleet


class Audience:
    """Receives the messages of all workers, as Flower does."""

    def __init__(self, fleet: Fleet) -> None:
        self._subscription = fleet.broker.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]  # redis-py is untyped here
        self._subscription.psubscribe("*celeryev/task.*")
        self.messages = 0
        self.kinds: Counter[str] = Counter()

    def heard(self) -> Counter[str]:
        """Read the new messages."""
        while message := self._subscription.get_message(timeout=0.01):
            self.messages += 1
            told = json.loads(b64decode(json.loads(message["data"])["body"]))
            self.kinds.update(event["type"] for event in (told if isinstance(told, list) else [told]))
        return self.kinds


def _all(count: int) -> dict[str, int]:
    return dict.fromkeys(("task-received", "task-started", "task-succeeded"), count)


def test_flower_is_told_of_all_runs_in_few_messages_and_of_the_last_when_the_worker_ends(fleet: Fleet) -> None:
    audience, worker = Audience(fleet), fleet.worker("teller", 4)
    began = time.monotonic()
    fleet.enqueue_many([NewRun("quick", "default", "{}") for _ in range(RUNS)])
    fleet.until(lambda: audience.heard() == _all(RUNS), "all is told")
    assert audience.messages <= (time.monotonic() - began) / GATHER_SECONDS + 2

    fleet.ends(fleet.enqueue("quick"))
    worker.popen.send_signal(signal.SIGTERM)
    worker.popen.wait(20)
    fleet.until(lambda: audience.heard() == _all(RUNS + 1), "the last is told")
