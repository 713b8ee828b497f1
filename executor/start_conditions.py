"""Conditions under which a worker may start: a migrated schema, and no older workers on its queue.

It waits for both, so that a rolling update may start workers in any order. Without the schema, each step would be executed and
then refused. Beside older workers, with an earlier record format, recorded steps of its runs would be executed again.
"""

import time
from collections.abc import Callable

from models.fleet import workers
from models.runs import recording
from models.runtime.facts import fact
from models.statement import Statement

_POLL_SECONDS = 0.5
_LOG_SECONDS = 10.0

Read = Callable[[Statement[str]], list[str]]
Pause = Callable[[float], None]


def wait_for_schema(read: Read, pause: Pause = time.sleep) -> None:
    """Return when the database has what the statements of this version call; log every ten seconds what is missing."""

    def log(missing: list[str]) -> None:
        why = "the database is older than this worker: run `alembic upgrade head`; the worker starts when it is done"
        fact("worker.waits_for_schema", level="warning", missing=",".join(missing), why=why)

    _wait_while(lambda: read(recording.missing_functions()), log, pause)


def wait_for_older(queue: str, read: Read, pause: Pause = time.sleep) -> None:
    """Return when no worker of an earlier record format serves the queue; log every ten seconds which ones still do."""

    def log(names: list[str]) -> None:
        why = "they do not know what this version records: drain them; it begins when they have left"
        fact("worker.waits_for_older", level="warning", queue=queue, workers=",".join(names), why=why)

    _wait_while(lambda: read(workers.older(queue)), log, pause)


def _wait_while(obstacles: Callable[[], list[str]], log: Callable[[list[str]], None], pause: Pause) -> None:
    logged_at = -_LOG_SECONDS
    while found := obstacles():
        if (now := time.monotonic()) - logged_at >= _LOG_SECONDS:
            logged_at = now
            log(found)
        pause(_POLL_SECONDS)
