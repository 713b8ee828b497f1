"""Writer of the picture in `docs/architecture.md`: what is handed over on the way of a run, and where."""

from __future__ import annotations

from typing import NamedTuple

from ops.documents.named import ROOT, missing

PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- picture: written by ops/documents/architecture.py -->", "<!-- end of the picture -->"


class Leg(NamedTuple):
    """What one part hands to another, and the function that does it, as path and name."""

    source: str
    target: str
    what: str
    where: str


PARTS = {
    "client": "client",
    "api": "api/",
    "database": "[(PostgreSQL)]",
    "scheduler": "scheduler/ (one leads)",
    "redis": "[(Redis or Valkey)]",
    "worker": "executor/ (Celery worker)",
    "host": "sdk/taxiway/host/ (agent host)",
}
LEGS = (
    Leg("client", "api", "POST /v1/runs", "api/runs/create.py:create_run"),
    Leg("api", "database", "run, payload, label, event", "models/runs/enqueue.py:enqueue"),
    Leg("api", "redis", "hint: promote", "models/runtime/bus.py:Bus.wake_up"),
    Leg("database", "scheduler", "ready runs, free slots", "scheduler/promotion/candidates.py:read_candidates"),
    Leg("scheduler", "database", "epoch + 1, ticket_at", "models/promotion/tickets.py:promote"),
    Leg("scheduler", "redis", "ticket: run id, epoch", "scheduler/promotion/publisher.py:Publisher.publish"),
    Leg("redis", "worker", "ticket", "executor/app.py:advance"),
    Leg("worker", "database", "claim", "models/moves.py:claim"),
    Leg("worker", "host", "activate, recorded", "executor/activation/replay.py:recorded_frames"),
    Leg("host", "worker", "step, park, finish", "executor/activation/frame_handler.py:FrameHandler.take"),
    Leg("worker", "database", "step, event, end or park", "executor/recorder/recorder.py:Recorder.put"),
    Leg("worker", "redis", "hint: event", "models/runtime/bus.py:Bus.publish_event"),
    Leg("redis", "api", "hint: event", "api/streams/subscription.py:Subscription.run"),
    Leg("database", "api", "stored events, in order", "api/streams/tail.py:tails"),
    Leg("api", "client", "SSE", "api/runs/stream.py:stream_run"),
)


def text() -> str:
    """Return the whole page: as it is, with the picture written again."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    return f"{before}{BEGIN}\n{picture()}{END}{rest.partition(END)[2]}"


def picture() -> str:
    """Return the diagram, and a table that says where each leg is; raise ValueError for a function that does not exist."""
    if lost := missing(" ".join(f"`{leg.where}`" for leg in LEGS)):
        raise ValueError(f"ops/documents/architecture.py names what does not exist: {', '.join(lost)}")
    nodes = [f"    {part}{_shape(label)}" for part, label in PARTS.items()]
    arrows = [f'    {leg.source} -->|"{n}. {leg.what}"| {leg.target}' for n, leg in enumerate(LEGS, start=1)]
    rows = [f"| {n} | {leg.what} | `{leg.where}` |" for n, leg in enumerate(LEGS, start=1)]
    drawn = "\n".join(["```mermaid", "flowchart LR", *nodes, *arrows, "```"])
    return "\n".join([drawn, "", "| leg | what is handed over | where |", "|---|---|---|", *rows, ""])


def _shape(label: str) -> str:
    return label if label.startswith("[") else f'["{label}"]'
