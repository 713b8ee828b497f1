"""A worker's reactions when its lease is no longer certain, and when slots are offered."""

from __future__ import annotations

from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from executor import worker_hooks
from executor.worker import Worker


class _Host:
    def __init__(self, busy_with: str | None) -> None:
        self.busy_with = busy_with
        self.killed: list[str] = []

    def kill(self, why: str) -> None:
        self.killed.append(why)


@pytest.fixture
def hosts() -> list[_Host]:
    return [_Host("run.1"), _Host(None)]


@pytest.fixture
def worker(hosts: list[_Host]) -> Any:
    """A worker that was never started, with one busy and one idle host."""
    worker: Any = object.__new__(Worker)
    worker.pool = SimpleNamespace(hosts=lambda: hosts)
    worker.worker_id = "old"
    worker._register = lambda: None
    return worker


def test_a_lease_in_doubt_ends_the_hosts_that_execute(worker: Any, hosts: list[_Host]) -> None:
    worker.lease_in_doubt()
    assert [host.killed for host in hosts] == [["lease"], []]


def test_a_worker_that_was_declared_dead_ends_them_too_and_comes_back_as_another(
    worker: Any, hosts: list[_Host]
) -> None:
    worker.declared_dead()
    assert [host.killed for host in hosts] == [["fenced"], []]
    assert worker.worker_id != "old"


def _consumer(**channel: Any) -> SimpleNamespace:
    return SimpleNamespace(channel=SimpleNamespace(**channel))


@pytest.mark.parametrize(
    ("consumer", "deaf"),
    [
        (_consumer(_in_poll=object(), _brpop_sent_at=-inf), True),
        (_consumer(_in_poll=object(), _brpop_sent_at=inf), False),
        (_consumer(_in_poll=None, _brpop_sent_at=-inf), False),
        (_consumer(_in_poll=object(), _brpop_sent_at=None), False),
        (_consumer(), False),
        (SimpleNamespace(), False),
    ],
)
def test_a_consumer_whose_broker_owes_it_an_answer_is_deaf(consumer: Any, deaf: bool) -> None:
    assert worker_hooks.broker_is_late(consumer) is deaf
