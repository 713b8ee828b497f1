"""GET and PUT /v1/agents: agents, the workers that serve them, and the gates of their runs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlmodel import Session, col, select

from api.http.auth import Caller, may
from api.http.body import json_object
from api.http.durations import iso
from api.http.openapi_responses import BODY, refusals, request_body
from api.http.parsing import read_as
from api.http.path_names import NAMED
from api.http.responses import Answer
from api.http.transactions import reading
from api.installation.queue_settings import GateRequest, Operator, Raw, Shared, change
from api.installation.workers import offers_slots
from api.shapes import AgentBody, AgentList
from models.runs.public_event import timestamp
from models.tables.agent import Agent
from models.tables.worker import Worker

router = APIRouter(tags=["Installation"])


@router.get("/v1/agents", response_model=AgentList, summary="Agents", responses=refusals())
def list_agents(_caller: Annotated[Caller, Depends(may("read"))]) -> Answer:
    """List every agent ever served, with the schema of its input and the live workers that serve it."""
    with reading() as session:
        agents = session.exec(select(Agent).order_by(col(Agent.name))).all()
        serving = _serving(session)
        return Answer({"agents": [_agent(agent, serving.get((agent.name, agent.queue), [])) for agent in agents]})


@router.put(
    f"/v1/agents/{NAMED}",
    response_model=AgentBody,
    summary="Change an agent",
    responses=refusals(*BODY, "not_found", "unknown_window"),
    openapi_extra=request_body(GateRequest, {"limit": 4}),
)
def put_agent(name: str, caller: Operator, raw: Raw, shared: Shared) -> Answer:
    """Limit or pause an agent, or let a window gate its new and resumed runs; omitted fields stay as they are."""
    asked = read_as(GateRequest, json_object(raw)).model_dump(exclude_unset=True)
    change("agent", name, asked, caller=caller, shared=shared)
    with reading() as session:
        agent = session.get_one(Agent, name)
        return Answer(_agent(agent, _serving(session).get((agent.name, agent.queue), [])))


def _serving(session: Session) -> dict[tuple[str, str], list[int]]:
    slots: dict[tuple[str, str], list[int]] = {}
    for worker in session.exec(select(Worker).where(offers_slots())):
        for name in worker.agents:
            slots.setdefault((name, worker.queue), []).append(worker.slots)
    return slots


def _agent(agent: Agent, slots: list[int]) -> AgentBody:
    schema: Any = agent.input_schema
    return {
        "name": agent.name,
        "description": agent.description,
        "queue": agent.queue,
        "version": agent.version,
        "inputSchema": schema,
        "timeout": None if agent.timeout_ms is None else iso(agent.timeout_ms),
        "limit": agent.run_limit,
        "paused": agent.paused,
        "window": agent.window_name,
        "workers": len(slots),
        "slots": sum(slots),
        "firstSeenAt": timestamp(agent.first_seen_at),
        "lastSeenAt": timestamp(agent.last_seen_at),
    }
