"""Runs, and pages of their steps, events and logs."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.people import WaitBody
from api.shapes.scalars import Category, Id, Moment, RunStatus


class StepBody(TypedDict):
    """A finished step: never executed again, only replayed."""

    key: str
    name: str
    status: Literal["succeeded", "failed", "abandoned"]
    attempts: int
    startedAt: Moment | None
    finishedAt: Moment | None
    durationMs: int | None
    output: NotRequired[
        Annotated[Any, Field(description="The value, with includeOutputs=true; null for a failed step.")]
    ]


class ErrorBody(TypedDict):
    """Error of a failed run."""

    code: str
    type: NotRequired[str | None]
    message: str
    step: NotRequired[str | None]
    attempts: NotRequired[int | None]


class EventBody(TypedDict):
    """One event of a run; some kinds carry more members."""

    seq: NotRequired[int]
    event: str
    runId: Id
    runStatus: RunStatus
    timestamp: Moment


class PauseBody(TypedDict):
    """Reason of a parked run."""

    kind: Literal["authorization", "approval", "user", "agent"]
    reason: str | None
    since: Moment | None
    expiresAt: Moment | None
    waits: Annotated[list[WaitBody], Field(description="Open waits: at most 100, waits for people first.")]


class RunTimes(TypedDict):
    """Times of a run: its earliest start, its expiry, and its history."""

    notBefore: Annotated[Moment | None, Field(description="Earliest start; null: immediately.")]
    expiresAt: Annotated[Moment | None, Field(description="Until when it may stay QUEUED; null: without limit.")]
    createdAt: Moment | None
    readyAt: Moment | None
    promotedAt: Moment | None
    startedAt: Moment | None
    finishedAt: Moment | None
    updatedAt: Moment | None


class RunSummary(RunTimes):
    """A run as lists show it."""

    runId: Id
    status: RunStatus
    executionStatus: str
    category: Category
    executing: Annotated[bool, Field(description="Whether a worker holds the run now.")]
    agent: str
    agentVersion: str | None
    error: ErrorBody | None
    reason: str | None
    pause: PauseBody | None
    openWaits: Annotated[
        list[WaitBody],
        Field(description="Waits that its agent opened while it executes: at most 100, waits for people first."),
    ]
    stepsTotal: Annotated[int, Field(description="Number of finished steps.")]
    stepInFlight: str | None
    controlRequest: Annotated[
        str | None, Field(description="Pending request: `cancel`, `pause` or `window` (its window closed).")
    ]
    queue: str
    priority: int
    window: str | None
    concurrencyKey: Annotated[
        str | None, Field(description="Runs of the same tenant and key share the places of the key.")
    ]
    onConflict: Annotated[
        Literal["queue", "skip", "cancel_running"] | None,
        Field(description="Policy if no place of its key is free; null without a key."),
    ]
    userId: str | None
    metadata: dict[str, str]
    tags: list[str]
    activations: int
    crashes: int
    losses: int
    activeMs: int
    parentRunId: Id | None
    retryOf: Id | None
    continuedAs: Id | None


class RunBody(RunSummary):
    """A run."""

    input: Any
    result: Any
    stepsFinished: Annotated[list[StepBody], Field(description="The newest 200 steps, oldest first.")]
    events: NotRequired[list[EventBody]]


class RunPage(TypedDict):
    """A page of runs, newest first."""

    runs: list[RunSummary]
    nextCursor: Annotated[
        str | None,
        Field(
            description="Cursor of the next page; null at the end. A page with a cursor may be short or empty: each call reads a "
            "bounded number of runs, and the next one continues there."
        ),
    ]


class BatchOfRuns(TypedDict):
    """The runs of a batch, in the order of the request."""

    runs: list[RunSummary]


class StepPage(TypedDict):
    """A page of a run's finished steps, oldest first."""

    steps: list[StepBody]
    nextCursor: str | None


class EventPage(TypedDict):
    """A page of a run's events, in order."""

    events: list[EventBody]
    nextAfterSeq: Annotated[int | None, Field(description="The `afterSeq` of the next page; null at the end.")]


class LogLineBody(TypedDict):
    """A line logged by the agent or written by its process."""

    n: int
    timestamp: Moment | None
    source: Literal["agent", "stdout", "stderr"]
    level: str
    step: str | None
    attempt: int | None
    message: str


class LogPage(TypedDict):
    """A page of a run's log, oldest first."""

    logs: list[LogLineBody]
    nextCursor: str | None
