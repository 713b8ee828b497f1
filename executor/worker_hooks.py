"""Celery signal hooks of the worker: started before the first ticket, drained on SIGTERM, stopped last."""

import sys
import time
from typing import Any, NoReturn
from uuid import UUID

import psycopg
from celery import Celery, bootsteps, signals

from executor.errors import CannotServe
from executor.flower_events import FlowerEventBatcher
from executor.options import refuse_options
from executor.worker import Worker, only_queue
from models.errors import DatabaseAway, SettingsError
from models.runtime.facts import fact
from models.runtime.redis_client import check_kind
from models.runtime.settings import settings

TICK_SECONDS = 2.0
BROKER_ANSWER_SECONDS = 4.0
EXIT_CANNOT_START = 3
_current: Worker | None = None


def current() -> Worker:
    """Return the process's worker; raise RuntimeError outside a started Celery worker."""
    if _current is None:
        raise RuntimeError("executor.advance runs only in a Celery worker of this application")
    return _current


def run_id(text: str) -> UUID:
    """Read the run's id from a ticket; raise ValueError without repeating the ticket's content."""
    try:
        return UUID(text)
    except (ValueError, AttributeError, TypeError):
        raise ValueError("the ticket carries no run id") from None


class Consuming(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery is untyped
    """Records that the consumer's hub turns and its broker answers; otherwise the worker offers no slots."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        current().tick()
        self.timer = parent.timer.call_repeatedly(TICK_SECONDS, self._tick, (parent,))

    def _tick(self, parent: Any) -> None:
        if not broker_is_late(parent.task_consumer):
            current().tick()

    def stop(self, parent: Any) -> None:  # noqa: ARG002  Celery passes it
        timer = getattr(self, "timer", None)
        if timer is not None:
            timer.cancel()


def broker_is_late(consumer: Any) -> bool:
    """Return whether the broker owes the consumer an answer: it answers a BRPOP every second, with a ticket or without.

    Only Redis transports have the time of their request (`_brpop_sent_at`, monotonic); for others the answer is False.
    """
    channel = getattr(consumer, "channel", None)
    asked = getattr(channel, "_brpop_sent_at", None)
    return bool(
        getattr(channel, "_in_poll", None) and asked is not None and time.monotonic() - asked > BROKER_ANSWER_SECONDS
    )


def attach(app: Celery) -> None:
    """Connect these hooks to the application's workers."""
    app.steps["consumer"].add(Consuming)
    app.steps["consumer"].add(FlowerEventBatcher)
    signals.worker_init.connect(_check_options, weak=False)
    signals.celeryd_after_setup.connect(_start, weak=False)
    signals.worker_shutting_down.connect(_drain, weak=False)
    signals.worker_shutdown.connect(_stop, weak=False)


def _check_options(sender: Any, **_: Any) -> None:
    try:
        refuse_options(sender)
    except CannotServe as error:
        _give_up(str(error))


def _start(sender: str, instance: Any, **_: Any) -> None:
    global _current  # noqa: PLW0603  Celery's signals carry no state of ours
    try:
        queue = only_queue(list(instance.app.amqp.queues.consume_from))
        check_kind(settings().redis_url)
        worker = Worker(settings(), settings().worker_name or sender, queue, instance.concurrency)
        worker.pool.adopt_strays()
        worker.start()
    except (ValueError, DatabaseAway, SettingsError, CannotServe) as error:
        _give_up(str(error))
    except psycopg.errors.UndefinedTable:
        _give_up("The database has no tables of Taxiway: run `alembic upgrade head` first.")
    except Exception as error:  # noqa: BLE001  Celery would log it and consume tickets without a worker
        fact("worker.cannot_start", level="exception")
        _give_up(f"The worker cannot start: {type(error).__name__}.")
    _current = worker


def _give_up(sentence: str) -> NoReturn:
    sys.stderr.write(f"taxiway: {sentence}\n")
    sys.exit(EXIT_CANNOT_START)


def _drain(**_: Any) -> None:
    """SIGTERM or SIGINT: drain; a second signal: immediately."""
    if _current is not None:
        _current.drain(0 if _current.draining else settings().drain_seconds)


def _stop(**_: Any) -> None:
    if _current is not None:
        _current.stop()
