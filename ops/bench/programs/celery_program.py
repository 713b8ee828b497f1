"""Bare Celery: a task that does nothing and one that reports its start, with the worker settings of the executor.

The address and the prefix of the keys come from the same variables as Taxiway's.
"""

from __future__ import annotations

import time

import redis
from celery import Celery

from models.runtime.celery_settings import broker_settings
from models.runtime.settings import settings

QUEUE = "bench"
STAMPS = "stamps"
NOTHING, STAMP = "bench.nothing", "bench.stamp"

app = Celery("bench")
app.conf.update(
    broker_settings(settings()),
    task_acks_late=True,
    task_reject_on_worker_lost=False,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_disable_rate_limits=True,
    worker_send_task_events=False,
    task_send_sent_event=False,
)
_stamps = redis.Redis.from_url(settings().redis_url)


@app.task(name=NOTHING)  # type: ignore[untyped-decorator]  # Celery is untyped
def nothing() -> None:
    """Do nothing."""


@app.task(name=STAMP)  # type: ignore[untyped-decorator]
def stamp(enqueued: float) -> None:
    """Store the seconds since this task was enqueued."""
    _stamps.rpush(STAMPS, time.time() - enqueued)
