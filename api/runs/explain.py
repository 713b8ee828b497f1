"""GET /v1/runs/{runId}/explain: why a run is not executing, or what it waits for while it executes."""

from typing import Annotated

from fastapi import APIRouter, Depends

from api.explain.explanation import explain
from api.explain.view import shown
from api.http.auth import Caller, may
from api.http.openapi_responses import refusals
from api.http.problems import run_not_found
from api.http.responses import Answer
from api.http.transactions import snapshot
from api.runs.find import parse_run_id
from api.shapes import ExplanationBody

router = APIRouter(tags=["Runs"])


@router.get(
    "/v1/runs/{runId}/explain",
    response_model=ExplanationBody,
    summary="Why a run is not executing",
    responses=refusals("run_not_found"),
)
def explain_run(
    runId: str,  # noqa: N803  as the API spells it
    caller: Annotated[Caller, Depends(may("read"))],
) -> Answer:
    """List everything that keeps the run from executing now, in the order in which people should remove it.

    For an executing run it lists what the agent waits for, and why the run keeps its slot while it only waits. A run that has
    ended has no blockers. The answer describes one moment, and costs the same however many runs exist.
    """
    run = parse_run_id(runId)
    with snapshot() as connection:
        explanation = explain(connection, caller.tenant, run)
    if explanation is None:
        raise run_not_found()
    return Answer(shown(explanation))
