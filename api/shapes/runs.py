"""What a run looks like, and the pages of what belongs to one."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.people import WaitBody
from api.shapes.scalars import Category, Id, Moment, RunStatus


class StepBody(TypedDict):
    """A step that is finished: never executed again, only replayed."""

    key: str
    name: str
    status: Literal["succeeded", "failed", "abandoned"]
    attempts: int
    startedAt: Moment | None
    finishedAt: Moment | None
    durationMs: int | None
    output: NotRequired[Annotated[Any, Field(description="With includeOutputs=true: the value; null when it failed.")]]


class ErrorBody(TypedDict):
    """Why a run failed."""

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
    """Why a run is parked."""

    kind: Literal["authorization", "approval", "user", "agent"]
    reason: str | None
    since: Moment | None
    expiresAt: Moment | None
    waits: Annotated[list[WaitBody], Field(description="The open ones: 100 at most, those of people first.")]


class RunTimes(TypedDict):
    """When a run may begin, and what happened to it when."""

    notBefore: Annotated[Moment | None, Field(description="When it begins at the earliest; null: at once.")]
    expiresAt: Annotated[Moment | None, Field(description="Until when it may stay QUEUED; null: for ever.")]
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
        Field(
            description="What it awaits while it executes, opened by its agent meanwhile: 100 at most, those of people first."
        ),
    ]
    stepsTotal: Annotated[int, Field(description="Steps that are finished.")]
    stepInFlight: str | None
    controlRequest: Annotated[
        str | None, Field(description="`cancel`, `pause` or `window` (it closed), asked for and not yet done.")
    ]
    queue: str
    priority: int
    window: str | None
    concurrencyKey: Annotated[
        str | None, Field(description="What it shares the places of with the same tenant's runs.")
    ]
    onConflict: Annotated[
        Literal["queue", "skip", "cancel_running"] | None,
        Field(description="What happens when no place of its key is free; null without a key."),
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
    stepsFinished: Annotated[list[StepBody], Field(description="The newest 200, oldest first.")]
    events: NotRequired[list[EventBody]]


class RunPage(TypedDict):
    """A page of runs, newest first."""

    runs: list[RunSummary]
    nextCursor: Annotated[
        str | None,
        Field(
            description="Ask for the next page with it; null at the end. A page that has one may be short, or empty: a call "
            "looks at a bounded number of runs, and the next one continues where it stopped."
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
    """A page of a run's events in their order."""

    events: list[EventBody]
    nextAfterSeq: Annotated[int | None, Field(description="Ask for the next page with afterSeq; null at the end.")]


class LogLineBody(TypedDict):
    """A line that the agent logged, or that its process wrote."""

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
