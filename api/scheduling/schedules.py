"""GET, PUT and DELETE /v1/schedules, POST /v1/schedules/{name}/run: recurring runs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlmodel import col, select
from starlette.responses import Response

from api.http.auth import Caller, may
from api.http.body import body_within, json_object, single_limit
from api.http.openapi_responses import BODY, refusals, request_body, response
from api.http.path_names import NAMED
from api.http.problems import Problem, invalid
from api.http.responses import Answer
from api.http.transactions import reading, transaction
from api.installation.windows import NAME, NAME_RULE
from api.resources import Resources, resources
from api.runs.detail import read_detail
from api.scheduling.schedule_body import ScheduleRequest, put_statement
from api.scheduling.view import detail, summary
from api.shapes import RunBody, ScheduleBody, ScheduleList
from models.operations import schedules
from models.runs import public_event
from models.runtime import bus
from models.runtime.facts import fact
from models.tables.schedule import Schedule

router = APIRouter(tags=["Schedules"])

_EXAMPLE = {"cron": "0 6 * * 1-5", "timezone": "Europe/Berlin", "run": {"agent": "license_audit", "input": {}}}
Shared = Annotated[Resources, Depends(resources)]
Owner = Annotated[Caller, Depends(may("admin", "operate"))]
"""Schedules belong to the tenant: its admin may change them, and so may a key with the scope `operate`."""


@router.get("/v1/schedules", response_model=ScheduleList, summary="Schedules", responses=refusals())
def list_schedules(caller: Annotated[Caller, Depends(may("read"))]) -> Answer:
    """List the tenant's schedules."""
    wanted = select(Schedule).where(Schedule.tenant == caller.tenant).order_by(col(Schedule.name))
    with reading() as session:
        return Answer({"schedules": [summary(schedule) for schedule in session.exec(wanted)]})


@router.get(
    f"/v1/schedules/{NAMED}", response_model=ScheduleBody, summary="A schedule", responses=refusals("not_found")
)
def read_schedule(name: str, caller: Annotated[Caller, Depends(may("read"))]) -> Answer:
    """Show a schedule: the run that it enqueues, its next times, and the outcomes of its newest firings."""
    return _answer(caller, name)


@router.put(
    f"/v1/schedules/{NAMED}",
    response_model=ScheduleBody,
    summary="Create or change a schedule",
    responses=refusals(*BODY, "unknown_agent", "unknown_queue", "unknown_window", "invalid_input"),
    openapi_extra=request_body(ScheduleRequest, _EXAMPLE),
)
def put_schedule(
    name: str, caller: Owner, raw: Annotated[bytes, Depends(body_within(single_limit))], shared: Shared
) -> Answer:
    """Create a schedule, or change the given fields of an existing one. Needs the scope `admin` or `operate`.

    A new cron applies from now on. A schedule that resumes after a pause does not make up for missed firings.
    """
    if not NAME.fullmatch(name):
        raise invalid("name", NAME_RULE)
    fields = json_object(raw)
    with transaction() as connection:
        current = schedules.current(caller.tenant, name).one(connection)
        put_statement(connection, caller, name, fields, current=current, shared=shared).one(connection)
    fact("schedule.put", tenant=caller.tenant, schedule=name, by=caller.name)
    return _answer(caller, name)


@router.delete(
    f"/v1/schedules/{NAMED}",
    status_code=204,
    response_model=None,
    summary="Delete a schedule",
    responses=response(204, "The schedule was deleted.") | refusals("not_found"),
)
def delete_schedule(name: str, caller: Owner) -> Response:
    """Delete a schedule; runs that it created continue. Needs the scope `admin` or `operate`."""
    with transaction() as connection:
        if schedules.delete(caller.tenant, name).one(connection) is None:
            raise _unknown(name)
    fact("schedule.deleted", tenant=caller.tenant, schedule=name, by=caller.name)
    return Response(status_code=204)


@router.post(
    f"/v1/schedules/{NAMED}/run",
    status_code=201,
    response_model=RunBody,
    summary="Run a schedule now",
    responses=refusals("not_found"),
)
def run_schedule(name: str, caller: Annotated[Caller, Depends(may("enqueue"))], shared: Shared) -> Answer:
    """Create the schedule's run immediately, even if the schedule is paused or an earlier run has not ended."""
    with transaction() as connection:
        event = schedules.run_now(connection, caller.tenant, name)
        if event is None:
            raise _unknown(name)
    shared.bus.publish_event(caller.tenant, public_event.public(event))
    shared.bus.wake_up(bus.PROMOTE, event.queue)
    fact("schedule.run_by_hand", tenant=caller.tenant, schedule=name, run=event.run_id, by=caller.name)
    return Answer(read_detail(caller, event.run_id), 201)


def _answer(caller: Caller, name: str) -> Answer:
    with reading() as session:
        found: Any = detail(session, caller.tenant, name)
    if found is None:
        raise _unknown(name)
    return Answer(found)


def _unknown(name: str) -> Problem:
    return Problem("not_found", f"There is no schedule {name[:100]}. GET /v1/schedules lists the schedules.")
