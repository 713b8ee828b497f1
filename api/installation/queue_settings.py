"""Settings that queues and agents share: stored in one transaction, then the scheduler is woken."""

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

# An omitted field stays as it is; with a default in the OpenAPI document, clients would send it.
FALSE: Any = Field(default_factory=bool)

_CHANGES = {"queue": queue_settings.change_queue, "agent": queue_settings.change_agent}


class GateRequest(Body):
    """A change of settings; omitted fields stay as they are."""

    limit: Annotated[
        Limit | None, Field(description="Concurrent runs in flight: tickets and leases; null for no limit.")
    ] = None
    paused: Annotated[bool, Field(description="Whether its new and resumed runs are held.")] = FALSE
    window: Annotated[Name | None, Field(description="The window that gates its runs; null for no window.")] = None


def change(
    kind: Literal["queue", "agent"], name: str, asked: Mapping[str, Any], *, caller: Caller, shared: Resources
) -> None:
    """Store a change, in the names of `models`, and wake the scheduler; raises Problem `not_found` or `unknown_window`."""
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
    """Return the problem of an unknown queue or agent."""
    return Problem("not_found", f"There is no {kind} {name[:100]}: see GET /v1/{kind}s.")
