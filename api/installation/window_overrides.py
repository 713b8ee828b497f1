"""POST and DELETE /v1/windows/{name}/override: holds a window open or closed for a time, regardless of its timetable."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import Field

from api.http.auth import Caller, may
from api.http.body import body_within, json_object, small_limit
from api.http.fields import Moment, Text
from api.http.openapi_responses import BODY, refusals, request_body
from api.http.parsing import Body, read_as
from api.http.path_names import NAMED
from api.http.problems import invalid
from api.http.responses import Answer
from api.http.transactions import transaction
from api.installation.windows import shown, unknown
from api.resources import Resources, resources
from api.shapes import WindowBody
from models.calendar import windows
from models.runtime import bus
from models.runtime.facts import fact

router = APIRouter(tags=["Installation"])

_LONGEST = timedelta(days=366)
Operator = Annotated[Caller, Depends(may("operate"))]


class OverrideRequest(Body):
    """A temporary state of a window, with its reason."""

    state: Literal["open", "closed"]
    until: Annotated[Moment, Field(description="End of the override: RFC 3339, at most 366 days away.")]
    reason: Annotated[Text, Field(max_length=500, description="For people; kept with the window.")] | None = None


@router.post(
    f"/v1/windows/{NAMED}/override",
    response_model=WindowBody,
    summary="Override a window",
    responses=refusals(*BODY, "not_found"),
    openapi_extra=request_body(
        OverrideRequest, {"state": "open", "until": "2026-03-01T09:30:00Z", "reason": "month end"}
    ),
)
def override_window(
    name: str,
    caller: Operator,
    raw: Annotated[bytes, Depends(body_within(small_limit))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """Hold a window open or closed until a given time; a later override replaces an earlier one."""
    body = read_as(OverrideRequest, json_object(raw))
    with transaction() as connection:
        row = connection.execute("SELECT now()").fetchone()
        assert row is not None
        if not timedelta() < body.until - row[0] <= _LONGEST:
            raise invalid("until", "must be in the future, and at most 366 days away")
        put = windows.override(name, state=body.state, until=body.until, by=caller.name, reason=body.reason)
        if put.one(connection) is None:
            raise unknown(name)
    shared.bus.wake_up(bus.PROMOTE)
    fact("window.overridden", window=name, state=body.state, until=body.until, by=caller.name)
    return Answer(shown(name))


@router.delete(
    f"/v1/windows/{NAMED}/override",
    response_model=WindowBody,
    summary="End an override",
    responses=refusals("not_found"),
)
def end_override(name: str, caller: Operator, shared: Annotated[Resources, Depends(resources)]) -> Answer:
    """End the override, so that the timetable applies again; without an override nothing happens."""
    with transaction() as connection:
        ended = windows.end_override(name, by=caller.name).one(connection)
    if ended:
        shared.bus.wake_up(bus.PROMOTE)
        fact("window.override_ended", window=name, by=caller.name)
    return Answer(shown(name))
