"""POST /v1/runs/{runId}/signals/{name}: a durable message to a run, stored until its agent waits for it."""

import json
from typing import Annotated

from fastapi import APIRouter, Depends

from api.http.auth import Caller, may
from api.http.body import body_within, json_object, small_limit
from api.http.openapi_responses import BODY, refusals, request_body
from api.http.parsing import read_as
from api.http.path_names import NAMED
from api.http.problems import FieldError, Problem, invalid, run_finished, run_not_found
from api.http.responses import Answer
from api.http.transactions import transaction
from api.json_schema.violations import violations
from api.resources import Resources, resources
from api.runs.detail import read_detail
from api.runs.find import parse_run_id
from api.runs.json_text import storable_text
from api.runs.request_bodies import SignalBody
from api.shapes import RunBody
from models.lifecycle import TERMINAL
from models.names import RULE, is_name
from models.runs.announcing import announce
from models.runs.children import RESERVED
from models.runtime.facts import fact
from models.stored_event import StoredEvent
from models.waiting import waits
from models.waiting.waits import WantedPayload
from models.waiting.wake import wake_run

router = APIRouter(tags=["Runs"])


@router.post(
    f"/v1/runs/{{runId}}/signals/{NAMED}",
    status_code=202,
    response_model=RunBody,
    summary="Send a run a signal",
    responses=refusals(*BODY, "run_not_found", "run_finished", "invalid_answer"),
    openapi_extra=request_body(SignalBody, {"payload": {"paid": True}, "id": "payment-17"}, required=False),
)
def send_signal(
    runId: str,  # noqa: N803  as the API spells it
    name: str,
    caller: Annotated[Caller, Depends(may("enqueue"))],
    raw: Annotated[bytes, Depends(body_within(small_limit, optional=True))],
    shared: Annotated[Resources, Depends(resources)],
) -> Answer:
    """Store a message for the run, which continues immediately if it waits for a signal of this name.

    A signal that arrives before its wait is kept. Signals of the same name are consumed in order of arrival. If a wait is
    open, the payload must fit its schema.
    """
    body = read_as(SignalBody, json_object(raw) if raw else {})
    _check(name)
    most = shared.settings.max_event_bytes
    payload = storable_text(body.payload, most, "payload", _invalid)
    run = parse_run_id(runId)
    moved: list[StoredEvent] = []
    with transaction() as connection:
        # The run row first, then the signal and the waits: see `models.waiting.waits`.
        run_state = waits.lock_run(run, caller.tenant).one(connection)
        if run_state is None:
            raise run_not_found()
        ended = run_state.status in TERMINAL
        if not ended and waits.keep_signal(run, name, payload=payload, sender=body.id).one(connection):
            _check_payload(body.payload, waits.next_for_signal(run, name).one(connection))
            moved = wake_run(connection, run_state, waits.deliver(run).all(connection))
    if ended:
        raise run_finished(read_detail(caller, run))
    announce(shared.bus, run_state, moved)
    fact("run.signaled", run=run, woken=len(moved))
    return Answer(read_detail(caller, run), 202)


def _check_payload(payload: object, awaited: WantedPayload | None) -> None:
    """Raise Problem `invalid_answer`, so that nothing is stored, if the payload does not fit the wait that would consume it."""
    if awaited and awaited.schema is not None:
        errors = violations(payload, json.dumps(awaited.schema), "payload", "the wait")
        if errors:
            first = f"{errors[0].field} {errors[0].detail}"
            raise Problem("invalid_answer", f"The payload does not fit what the run waits for: {first}.", errors)


def _invalid(detail: str) -> Problem:
    return Problem("invalid_answer", f"payload {detail}.", [FieldError("payload", detail)])


def _check(name: str) -> None:
    if not is_name(name):
        raise invalid("name", RULE)
    if name.startswith(RESERVED):
        raise invalid("name", f"must not begin with {RESERVED}: Taxiway reserves these names")
