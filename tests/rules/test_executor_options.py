"""Options of Celery's worker that have no effect or break here are refused before the worker has a pool."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from celery.concurrency.gevent import TaskPool as Gevent
from celery.concurrency.thread import TaskPool as Threads

from executor.errors import CannotServe
from executor.options import refuse_options

USUAL: dict[str, Any] = {
    "pool_cls": Threads, "prefetch_multiplier": 1, "pool_start_method": "fork", "options": {"beat": None, "autoscale": None},
    "app": SimpleNamespace(conf=SimpleNamespace(worker_disable_prefetch=False)),
}  # fmt: skip
REFUSED = [
    ("pool_cls", Gevent, "--pool threads"),
    ("pool_cls", "prefork", "--pool threads"),
    ("options", {"autoscale": (4, 1)}, "-c"),
    ("time_limit", 5.0, "timeout="),
    ("soft_time_limit", 5.0, "timeout="),
    ("max_tasks_per_child", 9, "TAXIWAY_HOST_ACTIVATIONS"),
    ("max_memory_per_child", 9000, "TAXIWAY_HOST_GROWTH"),
    ("options", {"beat": True}, "scheduler"),
    ("purge", True, "other workers"),
    ("logfile", "worker.log", "standard streams"),
    ("prefetch_multiplier", 4, "must be 1"),
    ("app", SimpleNamespace(conf=SimpleNamespace(worker_disable_prefetch=True)), "--disable-prefetch"),
    ("pool_start_method", "spawn", "pools of processes"),
]


@pytest.mark.parametrize(("name", "value", "says"), REFUSED)
def test_an_option_that_cannot_be_meant_is_refused_with_what_to_do_instead(name: str, value: object, says: str) -> None:
    with pytest.raises(CannotServe, match=says) as caught:
        refuse_options(SimpleNamespace(**{**USUAL, name: value}))
    assert str(caught.value).endswith(".")


def test_the_documented_command_is_not_refused() -> None:
    refuse_options(SimpleNamespace(**USUAL))
