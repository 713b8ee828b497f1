"""Storage of accepted runs, at most once for each idempotency key: a run answered with 201 is durable."""

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import psycopg

from api.http.auth import Caller
from api.http.problems import FieldError, Problem
from api.http.transactions import transaction
from api.runs.idempotency import Accepted, Request, find_earlier
from models.calendar import windows
from models.runs import enqueue, public_event
from models.runs.enqueue import NewRun
from models.runtime import bus
from models.runtime.facts import fact
from models.stored_event import StoredEvent
from models.tables.idempotency import claim_key


def store(
    caller: Caller,
    request: Request | None,
    runs: Sequence[NewRun],
    hints: bus.Bus,
    write_more: Callable[[psycopg.Connection[Any]], None] | None = None,
) -> Accepted:
    """Store these valid runs and publish them; return those of an equal request that stored its own first.

    Of any number of concurrent equal requests exactly one stores; the others wait for it and return its runs. `write_more`
    writes in the same transaction.
    """
    with transaction() as connection:
        rows = _insert(connection, caller.tenant, request, runs)
        if rows is not None and write_more is not None:
            write_more(connection)
    if rows is None:
        # In a new transaction: the statement that lost the race still sees its old snapshot.
        return find_earlier(caller, request) or _vanished()
    _publish(caller.tenant, rows, hints)
    return Accepted([run.id for run in runs], runs, rows[0].at)


def _insert(
    connection: psycopg.Connection[Any], tenant: str, request: Request | None, runs: Sequence[NewRun]
) -> list[StoredEvent] | None:
    ids = [run.id for run in runs]
    if request and claim_key(tenant, request.key, request.digest, ids).one(connection) is None:
        return None
    _lock_windows(connection, {run.window for run in runs if run.window})
    return enqueue.enqueue(connection, tenant, runs)


def _lock_windows(connection: psycopg.Connection[Any], names: set[str]) -> None:
    """Lock the windows of new runs against deletion: a run without its window would never start."""
    if gone := windows.missing(connection, names):
        raise Problem(
            "unknown_window", f"The window {gone[0]} was just deleted.", [FieldError("window", "was deleted")]
        )


def _vanished() -> NoReturn:
    raise Problem("unavailable", "An equal request came first, but its result is gone. Send this request again.")


def _publish(tenant: str, events: list[StoredEvent], hints: bus.Bus) -> None:
    for event in events:
        hints.publish_event(tenant, public_event.public(event))
    for queue in {event.queue for event in events}:
        hints.wake_up(bus.PROMOTE, queue)
    if len(events) == 1:
        fact("run.accepted", run=events[0].run_id, agent=events[0].agent, queue=events[0].queue)
    else:
        ids = sorted(event.run_id for event in events)
        fact("batch.accepted", runs=len(ids), first=ids[0], last=ids[-1])
