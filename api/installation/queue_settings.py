"""What is said of queues and of agents alike, and how it takes effect: stored whole, then the scheduler is woken."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import Depends
from pydantic import Field

from api.http.auth import Caller, may
from api.http.body import body_within, small_limit
from api.http.fields import Limit, Name
from api.http.parsing import Body
from api.http.problems import FieldError, Problem
from api.http.transactions import transaction
from api.resources import Resources, resources
from models.fleet import queue_settings
from models.runtime import bus
from models.runtime.facts import fact

Operator = Annotated[Caller, Depends(may("operate"))]
Raw = Annotated[bytes, Depends(body_within(small_limit))]
Shared = Annotated[Resources, Depends(resources)]

# Left out means "as it is"; a default in the document would have clients send it.
FALSE: Any = Field(default_factory=bool)

_CHANGES = {"queue": queue_settings.change_queue, "agent": queue_settings.change_agent}


class GateRequest(Body):
    """What to change: a field that is left out stays as it is."""

    limit: Annotated[Limit | None, Field(description="Runs in flight at once: tickets and leases; null for none.")] = (
        None
    )
    paused: Annotated[bool, Field(description="Whether its runs are held back, the new and the resumed ones.")] = FALSE
    window: Annotated[Name | None, Field(description="The window that gates its runs; null for none.")] = None


def change(
    kind: Literal["queue", "agent"], name: str, asked: Mapping[str, Any], *, caller: Caller, shared: Resources
) -> None:
    """Store what was asked for, in the words of `models`, and wake the scheduler; raises Problem where something is not there."""
    window = asked.get("window")
    if window is not None:
        shared.catalogue.check_window(window, "window")
    with transaction() as connection:
        if not queue_settings.holds_window(connection, window):
            gone = [FieldError("window", "was deleted")]
            raise Problem("unknown_window", f"The window {window} was deleted a moment ago.", gone)
        if not _CHANGES[kind](connection, name, asked):
            raise unknown(kind, name)
    shared.bus.wake_up(bus.PROMOTE)
    fact(f"{kind}.changed", **{kind: name}, by=caller.name, **asked)


def unknown(kind: str, name: str) -> Problem:
    """Say that there is no such queue or agent."""
    return Problem("not_found", f"There is no {kind} {name[:100]}: see GET /v1/{kind}s.")
