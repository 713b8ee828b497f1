"""Stores accepted runs, at most once per idempotency key: what is answered with 201 is durable."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import func
from sqlmodel import Session, col, select

from api.http.auth import Caller
from api.http.problems import FieldError, Problem
from api.http.transactions import reading, transaction
from models.calendar import windows
from models.runs import enqueue, public_event
from models.runtime import bus
from models.runtime.facts import fact
from models.stored_event import StoredEvent
from models.tables.idempotency import KEPT, Idempotency, claim_key
from models.tables.run import Run


@dataclass(frozen=True, slots=True)
class Request:
    """What makes two requests the same: the key that the client chose, and the digest of the body."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The runs of a request: those that it made, as they were stored `at` that moment, or those of an earlier, equal one."""

    ids: list[UUID]
    made: Sequence[enqueue.NewRun] = ()
    at: datetime | None = None

    @property
    def replayed(self) -> bool:
        """Whether an earlier, equal request made the runs."""
        return not self.made


def same_request(key: str | None, call: str, body: Any) -> Request | None:
    """Describe a request by its idempotency key; the digest ignores white space and the order of names."""
    if key is None:
        return None
    if not 1 <= len(key) <= 255 or not all("!" <= character <= "~" for character in key):
        raise Problem("invalid_request", "The header Idempotency-Key takes 1 to 255 visible ASCII characters.")
    canonical = json.dumps([call, body], sort_keys=True, separators=(",", ":"))
    return Request(key, hashlib.sha256(canonical.encode()).hexdigest())


def accept(
    caller: Caller,
    request: Request | None,
    prepare: Callable[[], Sequence[enqueue.NewRun]],
    hints: bus.Bus,
    also: Callable[[psycopg.Connection[Any]], None] | None = None,
) -> Accepted:
    """Answer with the runs of an equal request made before, or validate with `prepare` and store new ones.

    What is to be stored with them is written by `also`, in their transaction.

    Of any number of equal requests at once exactly one stores; the others wait for it and answer with its runs.
    """
    earlier = request and _earlier(caller.tenant, request)
    if earlier:
        return earlier
    runs = prepare()
    with transaction() as connection:
        stored = _store(connection, caller.tenant, request, runs)
        if stored is not None and also is not None:
            also(connection)
    if stored is None:
        # Read in a new transaction: the statement that lost the race still sees the world as it was before.
        assert request is not None
        return _earlier(caller.tenant, request) or _vanished()
    _tell(caller.tenant, stored, hints)
    return Accepted([run.id for run in runs], runs, stored[0].at)


def _store(
    connection: psycopg.Connection[Any], tenant: str, request: Request | None, runs: Sequence[enqueue.NewRun]
) -> list[StoredEvent] | None:
    ids = [run.id for run in runs]
    if request and claim_key(tenant, request.key, request.digest, ids).one(connection) is None:
        return None
    _hold_windows(connection, {run.window for run in runs if run.window})
    return enqueue.enqueue(connection, tenant, runs)


def _hold_windows(connection: psycopg.Connection[Any], wanted: set[str]) -> None:
    """Keep the windows of new runs from being deleted before these are stored: nothing would ever open for them."""
    if gone := windows.missing(connection, wanted):
        raise Problem(
            "unknown_window", f"The window {gone[0]} was deleted a moment ago.", [FieldError("window", "was deleted")]
        )


def _earlier(tenant: str, request: Request) -> Accepted | None:
    with reading() as session:
        kept = _kept(session, tenant, request.key)
        left = set(session.exec(select(Run.id).where(col(Run.id).in_(kept.run_ids)))) if kept else set()
    if kept is None:
        return None
    if kept.body_digest != request.digest:
        raise Problem(
            "idempotency_mismatch", "This idempotency key was used for a request with another body. Use a new key."
        )
    if gone := [str(run) for run in kept.run_ids if run not in left]:
        # Made once and deleted since: to make it again would be to do again what this key was to have done once.
        said = f"An equal request made run {gone[0]}, which ended long ago and was deleted. To run it again, use a new key."
        raise Problem("run_not_found", said, more={"deleted": gone})
    return Accepted(list(kept.run_ids))


def _kept(session: Session, tenant: str, key: str) -> Idempotency | None:
    young = col(Idempotency.created_at) > func.now() - KEPT
    wanted = select(Idempotency).where(Idempotency.tenant == tenant, Idempotency.key == key, young)
    return session.exec(wanted).first()


def _vanished() -> Accepted:
    raise Problem("unavailable", "The equal request that came first was not kept. Send this one again.")


def _tell(tenant: str, events: list[StoredEvent], hints: bus.Bus) -> None:
    for event in events:
        hints.publish_event(tenant, public_event.public(event))
    for queue in {event.queue for event in events}:
        hints.wake_up(bus.PROMOTE, queue)
    if len(events) == 1:
        fact("run.accepted", run=events[0].run_id, agent=events[0].agent, queue=events[0].queue)
    else:
        ids = sorted(event.run_id for event in events)
        fact("batch.accepted", runs=len(ids), first=ids[0], last=ids[-1])
