"""Waits of runs as the API shows them: what a parked run waits for, and what an executing run has asked for."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Uuid, func, true
from sqlalchemy import cast as sql_cast
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from api.http.auth import Caller
from api.links.addresses import link
from api.links.rights import may_have_link
from api.shapes import PauseBody, WaitBody
from models.lifecycle import Status
from models.runs.public_event import timestamp
from models.tables.event import Event
from models.tables.run import Run
from models.tables.wait import Wait

# Without the details of a question, which may be long: its event and the inbox have them.
_SHOWN = {
    name: name
    for name in (
        "prompt",
        "choices",
        "answer",
        "approvers",
        "step",
        "provider",
        "scopes",
        "subject",
        "signal",
        "reason",
    )
}
_SHOWN_OF_KIND = {"child": {"run": "childRunId", "agent": "agent"}, "code": {"message": "message"}}
MOST_SHOWN = 100
"""Limit of waits shown for a run: one that waits for children may have thousands."""


def pauses(session: Session, runs: Sequence[Run], caller: Caller) -> Mapping[UUID, PauseBody]:
    """Return the pauses of those runs that are parked, with the links that the caller may have."""
    parked = {run.id: run for run in runs if run.status in (Status.PAUSED, Status.AUTH_REQUIRED)}
    if not parked:
        return {}
    ids = list(parked)
    waits = _open_waits(session, parked.values())
    moved = select(Event.run_id, func.max(Event.at)).where(col(Event.run_id).in_(ids), col(Event.verb).is_not(None))
    since = dict(session.exec(moved.group_by(col(Event.run_id))).all())
    return {id_: _pause(run, since.get(id_), waits[id_], caller) for id_, run in parked.items()}


def open_waits(session: Session, runs: Sequence[Run], caller: Caller) -> Mapping[UUID, list[WaitBody]]:
    """Return the waits that executing runs opened in this activation, with the links that the caller may have.

    Waits of an earlier activation are left out: the agent continued without them, or opens them again.
    """
    executing = {run.id: run for run in runs if run.lease_worker is not None}
    if not executing:
        return {}
    found = _open_waits(session, executing.values(), of_their_epoch=True)
    return {id_: [_wait(wait, executing[id_], caller) for wait in waits] for id_, waits in found.items()}


def _open_waits(
    session: Session, runs: Collection[Run], *, of_their_epoch: bool = False
) -> Mapping[UUID, Sequence[Wait]]:
    """Return the open waits of each run, MOST_SHOWN at most: waits for people come before waits for children."""
    ids, epochs = [run.id for run in runs], [run.epoch for run in runs]
    both = func.unnest(sql_cast(ids, ARRAY(Uuid)), sql_cast(epochs, ARRAY(Integer)))
    target = both.table_valued("id", "epoch").render_derived(name="target")
    of_one = select(Wait).where(col(Wait.run_id) == target.c.id, col(Wait.resolved_at).is_(None))
    of_one = of_one.where(col(Wait.epoch) == target.c.epoch) if of_their_epoch else of_one
    first = of_one.order_by(col(Wait.kind) == "child", col(Wait.id)).limit(MOST_SHOWN).lateral()
    found = aliased(Wait, first)
    waits = defaultdict[UUID, list[Wait]](list)
    for wait in session.exec(select(found).select_from(target).join(first, true()).order_by(col(found.id))):
        waits[wait.run_id].append(wait)
    return waits


def _pause(run: Run, since: Any, waits: Sequence[Wait], caller: Caller) -> PauseBody:
    ends = [wait.due_at for wait in waits if wait.due_at]
    return {
        "kind": cast("Any", run.pause_kind or "authorization"),
        "reason": run.reason,
        "since": timestamp(since),
        "expiresAt": timestamp(min(ends)) if ends else None,
        "waits": [_wait(wait, run, caller) for wait in waits],
    }


def _wait(wait: Wait, run: Run, caller: Caller) -> WaitBody:
    request = cast("Mapping[str, Any]", wait.request or {})
    names = _SHOWN_OF_KIND.get(wait.kind, _SHOWN)
    shown = {names[name]: request[name] for name in names if request.get(name) is not None}
    if wait.nonce and may_have_link(caller, request.get("approvers"), run.created_by):
        shown |= link(wait.kind, wait.id, wait.nonce, request.get("url"))
    body: WaitBody = {
        "waitId": str(wait.id),
        "kind": wait.kind,
        "openedAt": timestamp(wait.opened_at),
        "expiresAt": timestamp(wait.due_at),
    }
    return cast("WaitBody", body | shown)
