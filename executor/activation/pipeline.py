"""One activation as a pipeline over one value: claim → prepare → supervise → classify → record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from executor.activation.finish import record
from executor.activation.outcome import Dropped, HandedBack, Parked, flower_label, parked
from executor.activation.services import ActivationServices
from executor.activation.supervision import Supervision
from executor.errors import CannotServe
from executor.hosts import HostPool
from executor.recorder.group_commit import Settled
from executor.recorder.recorder import claimed
from models import moves
from models.fleet.workers import LeasedRun
from models.lifecycle import Reason
from models.promotion import tickets
from models.promotion.claim import Claim
from models.runs.recording import Fence
from models.runtime.bus import PROMOTE
from models.runtime.facts import fact
from models.statement import Statement
from models.waiting.questions import START, start_question

_TICKET_STATE = "SELECT agent, queue, epoch, ticket_at, lease_worker, status FROM run WHERE id = %(run)s"

_START_APPROVED = "SELECT id FROM wait WHERE run_id = %(run)s AND key = %(key)s AND outcome = 'approved'"


@dataclass(frozen=True, slots=True)
class _TicketState:
    """The run row of a ticket that could not be claimed."""

    agent: str
    epoch: int
    ticket_at: datetime | None


class Reservation:
    """Reserves the place of an activation that has not begun yet."""


class PipelineServices(ActivationServices, Protocol):
    """Services of the worker that the pipeline uses beyond those of a supervised activation."""

    name: str
    pool: HostPool
    active: dict[tuple[UUID, int], Supervision | Reservation]

    @property
    def worker_id(self) -> UUID: ...
    @property
    def served(self) -> list[str]: ...
    @property
    def versions(self) -> str: ...
    def may_execute(self, identity: UUID) -> bool: ...


@dataclass(frozen=True, slots=True)
class Ticket:
    """The content of a broker message."""

    run: UUID
    epoch: int


def advance(worker: PipelineServices, ticket: Ticket) -> str:
    """Execute the ticket's run until it parks, ends or is handed back; return the outcome's Flower label."""
    if worker.draining:
        return _decline(worker, ticket, draining=True)
    key, ours = (ticket.run, ticket.epoch), Reservation()
    # The same ticket may arrive twice at the same time; one of them is enough.
    if worker.active.setdefault(key, ours) is not ours:
        return flower_label(Dropped("stale"))
    try:
        return _advance(worker, ticket)
    finally:
        del worker.active[key]


def _advance(worker: PipelineServices, ticket: Ticket) -> str:
    fence = Fence(ticket.run, ticket.epoch, worker.worker_id)
    claim = _claim(worker, fence)
    if claim is None:
        return _unclaimed(worker, ticket)
    if not worker.may_execute(fence.worker):
        # The claim waited for the database so long that this worker may count as dead and another may execute the run.
        return record(worker, fence, claim, HandedBack(Reason.WORKER_LOST, None), active_ms=0)
    fact("run.claimed", level="debug", run=ticket.run, epoch=ticket.epoch, agent=claim.agent)
    if (question := _approval_before_start(worker, claim)) is not None:
        return record(worker, fence, claim, question, active_ms=0)
    try:
        host = worker.pool.take(claim.tenant)
    except CannotServe:
        return record(worker, fence, claim, HandedBack(Reason.HOST_LOST, None), active_ms=0)
    supervision = Supervision(worker, claim, host, fence)
    worker.active[ticket.run, ticket.epoch] = supervision
    try:
        outcome = supervision.supervise()
        return record(worker, fence, claim, outcome, active_ms=supervision.active_ms(), host=host)
    except BaseException:
        host.kill("fault")
        raise
    finally:
        worker.pool.give_back(host)


def _approval_before_start(worker: PipelineServices, claim: Claim) -> Parked | None:
    """Return the park of a run that needs an approval before its start: no agent code is executed for that."""
    if claim.approval_strategy != "ON_START":
        return None
    known = claim.has_waits and worker.read(Statement(_START_APPROVED, {"run": claim.run_id, "key": START}, UUID))
    return None if known else parked(0, [start_question(claim.agent, claim.input)])


def _claim(worker: PipelineServices, fence: Fence) -> Claim | None:
    statement = moves.claim(
        fence.run, fence.epoch, fence.worker, label=worker.name, versions=worker.versions, served=worker.served
    )
    answer = worker.recorder.write(fence.run, statement, settle=lambda connection: claimed(connection, fence))
    if isinstance(answer, Settled):
        # The claim had been committed; read its row again. A ticket that arrived twice never gets here.
        rows = worker.read(moves.claimed(fence.run, fence.epoch, fence.worker))
        answer = rows[0] if rows else None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _unclaimed(worker: PipelineServices, ticket: Ticket) -> str:
    rows = worker.read(Statement(_TICKET_STATE, {"run": ticket.run}, _TicketState))
    row = rows[0] if rows else None
    if row and row.epoch == ticket.epoch and row.ticket_at and row.agent not in worker.served:
        return _decline(worker, ticket, draining=False)
    return flower_label(Dropped("stale"))


def _decline(worker: PipelineServices, ticket: Ticket, *, draining: bool) -> str:
    worker.recorder.write(ticket.run, tickets.decline(ticket.run, ticket.epoch, draining=draining))
    why = "draining" if draining else "not_served"
    fact("run.declined", run=ticket.run, epoch=ticket.epoch, why=why)
    worker.bus.wake_up(PROMOTE)
    return f"declined:{why}"


def forward_requests(worker: PipelineServices, rows: Sequence[LeasedRun], default_grace_s: float) -> None:
    """Forward the requests and inbox changes of a lease renewal to their activations."""
    for row in rows:
        supervision = worker.active.get((row.run_id, row.epoch)) if row.run_id and row.epoch is not None else None
        if not isinstance(supervision, Supervision):
            continue
        supervision.news(row.inbox)
        match row.control_request:
            case "cancel":
                grace_ms = row.control_grace_ms
                grace = default_grace_s if grace_ms is None else grace_ms / 1000
                supervision.cancel(grace, row.control_by, row.control_reason)
            case "pause":
                supervision.pause()
            case "window":
                supervision.pause(row.control_reason)
