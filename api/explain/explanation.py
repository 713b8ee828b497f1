"""Explanation of a run: reads the values that its state needs, applies the rules, and orders the blockers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.explain import fleet, parked_blockers, ready_blockers
from api.explain.blocker import Blocker, no_scheduler
from api.explain.blocker_kinds import ORDER, Kind
from api.explain.counting import count_ready
from api.explain.reading import Connection, read_executing, read_leased, read_led, read_parked, read_run
from api.explain.reading_ready import read_ready
from api.explain.snapshot import Leased
from models.lifecycle import TERMINAL
from models.tables.run import Run


@dataclass(frozen=True, slots=True)
class Explanation:
    """State of a run at one moment, and everything that keeps it from executing; `omitted` counts further waits."""

    at: datetime
    run: Run
    blockers: Sequence[Blocker] = ()
    omitted: int = 0
    worker: Leased | None = None


def explain(connection: Connection, tenant: str, run: UUID) -> Explanation | None:
    """Explain a run of the tenant, in the caller's transaction; None if the tenant has no such run."""
    found = read_run(connection, tenant, run)
    if found is None:
        return None
    now, row = found
    if row.status in TERMINAL:
        return Explanation(now, row)
    if row.lease_worker is not None:
        return _leased(connection, now, row)
    if row.ready_at is not None:
        return Explanation(now, row, _in_order(_ready(connection, now, row)))
    standing = read_parked(connection, now, row)
    return Explanation(now, row, _in_order(parked_blockers.holding(standing)), standing.more)


def _leased(connection: Connection, now: datetime, run: Run) -> Explanation:
    worker = read_leased(connection, now, run)
    if not worker.lost:
        awaited = read_executing(connection, now, run)
        return Explanation(now, run, _in_order(parked_blockers.holding(awaited)), awaited.more, worker)
    detail = f"Its worker {worker.name} was lost; another worker gets it in a moment."
    facts = {"worker": {"workerId": str(worker.id), "name": worker.name}}
    found = [Blocker(Kind.RECOVERING, detail, worker.lost_at, facts=facts)]
    return Explanation(now, run, _in_order(found if read_led(connection) else [*found, no_scheduler()]))


def _ready(connection: Connection, now: datetime, run: Run) -> list[Blocker]:
    ready = read_ready(connection, now, run)
    found = ready_blockers.holding(ready)
    if not ready_blockers.waits_for_turn(ready, found):
        return found + ready_blockers.further(ready, found)
    found.append(fleet.capacity(ready, count_ready(connection, run, fleet.classes(ready))))
    return found if ready.led else [*found, no_scheduler()]


def _in_order(blockers: Sequence[Blocker]) -> list[Blocker]:
    return sorted(blockers, key=lambda blocker: ORDER[blocker.kind])
