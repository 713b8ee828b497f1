"""Reasons why a run is not executing, or what it awaits while it executes, as typed values and a call. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from taxiway.client.calls import Answer, Call, Request, run_path
from taxiway.client.views import Json, moment


@dataclass(frozen=True)
class BlockerView:
    """One thing that keeps a run from executing, or that its agent awaits while it executes.

    `kind` is a stable name, and `raw` has its facts. `detail` is a sentence for people. `since` and `until` are None if
    unknown.
    """

    kind: str
    detail: str
    since: datetime | None
    until: datetime | None
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, raw: Json) -> BlockerView:
        """Build from JSON."""
        return cls(
            kind=raw["kind"],
            detail=raw.get("detail") or "",
            since=moment(raw.get("since")),
            until=moment(raw.get("until")),
            raw=raw,
        )


@dataclass(frozen=True)
class Explanation:
    """The state of a run, and what keeps it from executing, in the order in which to remove it.

    An executing run has its `worker` (a label) and `step_in_flight`; its blockers are what its agent awaits, and what
    keeps its slot although the agent only waits (`slot_held`). An ended run has its status and reason, and no blockers.
    `omitted` is the number of further waits that are not listed.
    """

    run_id: str
    at: datetime | None
    status: str
    reason: str | None
    executing: bool
    since: datetime | None
    worker: str | None
    step_in_flight: str | None
    control_request: str | None
    blockers: tuple[BlockerView, ...]
    omitted: int
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, raw: Json) -> Explanation:
        """Build from JSON; members that are missing become None or empty."""
        return cls(
            run_id=raw["runId"],
            at=moment(raw.get("at")),
            status=raw["status"],
            reason=raw.get("reason"),
            executing=bool(raw.get("executing")),
            since=moment(raw.get("since")),
            worker=(raw.get("worker") or {}).get("name"),
            step_in_flight=raw.get("stepInFlight"),
            control_request=raw.get("controlRequest"),
            blockers=tuple(BlockerView.read(blocker) for blocker in raw.get("blockers") or ()),
            omitted=raw.get("omitted") or 0,
            raw=raw,
        )


def explain(run_id: str) -> Call[Explanation]:
    """GET /v1/runs/{runId}/explain."""
    return Call(Request("GET", run_path(run_id, "explain")), _read)


def _read(answer: Answer) -> Explanation:
    return Explanation.read(answer.json)
