"""Blockers of a run that waits, parked or executing. Rules without I/O.

A waiting run is held by its waits, and by a recorded pause. Gates of its queue or agent do not hold it now, and may have changed
when it continues. For an executing run, the blockers are the waits of its agent, and whatever keeps the slot of a waiting
agent.
"""

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any
from uuid import UUID

from api.explain.blocker import Blocker, listed, no_scheduler, runs, short
from api.explain.blocker_kinds import Kind
from api.explain.snapshot import Named, Parked, SlotHeld
from models.lifecycle import TERMINAL, PauseKind
from models.tables.wait import Wait

_MOST_SPOKEN = 3
_LONGEST_MISMATCH = 2_000  # its two sides are only useful together
_BY_THE_SCHEDULER = {Kind.TIMER, Kind.CHILD, Kind.WINDOW_WAIT}
_KINDS = {
    "approval": Kind.APPROVAL,
    "authorization": Kind.AUTHORIZATION,
    "signal": Kind.SIGNAL,
    "timer": Kind.TIMER,
    "child": Kind.CHILD,
    "user": Kind.PAUSE,
    "window": Kind.WINDOW_WAIT,
    "code": Kind.CODE_MISMATCH,
}


def holding(parked: Parked) -> list[Blocker]:
    """Return the blockers of a parked run, or the waits of an executing run's agent."""
    found = [_held(parked)] if parked.run.control_request == "pause" and not parked.executing else []
    if parked.run.pause_kind == PauseKind.USER:
        return [*found, _paused(parked)]
    waits = [_wait(parked, wait) for wait in parked.waits]
    late = any(wait.due_at is not None and wait.due_at <= parked.now for wait in parked.waits)
    if not parked.led and (late or any(blocker.kind in _BY_THE_SCHEDULER for blocker in waits)):
        waits.append(no_scheduler())
    return found + waits + ([_slot(parked.slot)] if parked.slot else [])


def _held(parked: Parked) -> Blocker:
    run = parked.run
    detail = f"{_who(run.control_by)} paused it; when its waits are over, it stays paused until it is resumed."
    return Blocker(Kind.HELD, detail, run.control_at, facts={"by": run.control_by, "comment": run.control_reason})


def _who(by: str | None) -> str:
    return by or "A user"


def _paused(parked: Parked) -> Blocker:
    paused = parked.paused
    by, comment, since = (paused.by, paused.comment, paused.since) if paused else (None, None, None)
    detail = f"{_who(by)} paused it; it continues when it is resumed."
    return Blocker(Kind.PAUSE, detail, since, facts={"pausedBy": "user", "by": by, "comment": comment})


def _wait(parked: Parked, wait: Wait) -> Blocker:
    """Return the blocker of one wait, with how it ends."""
    asked: Mapping[str, Any] = wait.request or {}
    detail, facts = _ABOUT[wait.kind](parked, asked)
    if wait.due_at is not None and wait.due_at <= parked.now:
        detail += " Its time is over; it ends in a moment."
    if wait.wake == "any" and not parked.executing and len(parked.waits) + parked.more > 1:
        detail += " The run continues when the first of its waits ends."
    facts = {"waitId": str(wait.id), "wake": None if parked.executing else wait.wake, **facts}
    return Blocker(_KINDS[wait.kind], detail, wait.opened_at, _until(parked, wait, asked), facts)


def _slot(slot: SlotHeld) -> Blocker:
    """Return the blocker of a kept slot, with the position in the agent's code if it is known."""
    named = [_place(one) for one in slot.by]
    shown = listed(
        [*named[:_MOST_SPOKEN], *([f"{len(named) - _MOST_SPOKEN} more"] if len(named) > _MOST_SPOKEN else [])]
    )
    detail = f"Its agent is waiting but keeps its slot because of {shown}."
    return Blocker(Kind.SLOT_HELD, detail, slot.since, facts={"slotHeldBy": [dict(one) for one in slot.by]})


def _place(one: Mapping[str, Any]) -> str:
    what = short(one["what"] or one["kind"])
    if not one["file"]:
        return what
    line = f":{one['line']}" if one["line"] is not None else ""
    return f"{what} ({short(PurePath(one['file']).name)}{line})"


def _until(parked: Parked, wait: Wait, asked: Mapping[str, Any]) -> Any:
    if wait.kind == "window":
        standing = parked.windows.standing(str(asked.get("window")))
        return None if standing.open else standing.until
    return wait.due_at


def _approval(_: Parked, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    verb = "approve" if asked.get("answer") is None else "answer"
    roles = asked.get("approvers")
    who = (
        f"A person with the role {short(' or '.join(map(str, roles)))}"
        if isinstance(roles, list) and roles
        else "A person"
    )
    facts = {name: asked.get(name) for name in ("prompt", "approvers")}
    return f"{who} must {verb}: {short(asked.get('prompt') or 'it may continue')}", facts


def _authorization(_: Parked, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    facts = {name: asked.get(name) for name in ("provider", "scopes", "subject")}
    scopes = asked.get("scopes")
    what = f" ({short(listed([str(scope) for scope in scopes]))})" if scopes else ""
    return f"{short(facts['subject'] or 'A person')} must authorize {short(facts['provider'])}{what}.", facts


def _signal(_: Parked, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return f"It waits for the signal {short(asked.get('signal'))}.", {"signal": asked.get("signal")}


def _timer(_: Parked, __: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    return "It sleeps.", {}


def _child(parked: Parked, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    child, status = child_of(asked), None
    if child is not None and (status := parked.children.get(child)) is not None:
        named = {"runs": runs([Named(child, status)])}
        then = "; it receives the result in a moment" if status in TERMINAL else ""
        return f"It waits for its child {short(asked.get('agent'))} {child}, which is {status}{then}.", named
    return f"It waits for its child {short(asked.get('agent'))}.", {}


def child_of(asked: Mapping[str, Any]) -> UUID | None:
    """Return the id of the child run of a wait."""
    try:
        return UUID(str(asked.get("run")))
    except ValueError:
        return None


def _agents_own(_: Parked, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    why = f": {short(asked['reason'])}" if asked.get("reason") else ""
    facts = {"pausedBy": "agent", "reason": asked.get("reason")}
    return f"Its agent paused it{why}; it continues when it is resumed.", facts


def _window(parked: Parked, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    name = str(asked.get("window"))
    closed = parked.windows.closed(name)
    then = "continues when it opens" if closed else "continues in a moment, because it is open now"
    return f"It was parked because the window {name} closed, and {then}.", {"window": name}


def _code(_: Parked, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    why = f": {short(asked['message'], _LONGEST_MISMATCH)}" if asked.get("message") else ""
    then = "it continues when the code is fixed and the run is resumed."
    return f"Its code does not match what it recorded{why}; {then}", {}


_ABOUT: Mapping[str, Callable[[Parked, Mapping[str, Any]], tuple[str, dict[str, Any]]]] = {
    "approval": _approval,
    "authorization": _authorization,
    "signal": _signal,
    "timer": _timer,
    "child": _child,
    "user": _agents_own,
    "window": _window,
    "code": _code,
}
