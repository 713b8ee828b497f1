"""The shapes of answers: what the views build, type-checked, and what the OpenAPI document shows."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

Moment = Annotated[str, Field(description="RFC 3339, UTC, milliseconds.", examples=["2026-03-01T09:30:00.125Z"])]
Id = Annotated[str, Field(description="UUIDv7.", examples=["019573a4-6f2b-7c1d-9e00-4b1c5d6e7f80"])]
RunStatus = Literal["QUEUED", "RUNNING", "AUTH_REQUIRED", "PAUSED", "SUCCESS", "FAILED", "CANCELED"]
Category = Literal["processing", "awaiting", "paused", "terminal"]


class StepBody(TypedDict):
    """A step that is finished: never executed again, only replayed."""

    key: str
    name: str
    status: Literal["succeeded", "failed"]
    attempts: int
    startedAt: Moment | None
    finishedAt: Moment | None
    durationMs: int | None
    output: NotRequired[Annotated[Any, Field(description="With includeOutputs=true: the value; null when it failed.")]]


class WaitBody(TypedDict):
    """What a parked run waits for."""

    waitId: Id
    kind: str
    openedAt: Moment | None
    expiresAt: Moment | None
    prompt: NotRequired[str]
    choices: NotRequired[list[str]]
    answer: NotRequired[Annotated[Any, Field(description="The JSON Schema of the answer.")]]
    approvers: NotRequired[list[str]]
    step: NotRequired[dict[str, str]]
    provider: NotRequired[str]
    scopes: NotRequired[list[str]]
    subject: NotRequired[str]
    signal: NotRequired[Annotated[str, Field(description="The name of the signal.")]]
    reason: NotRequired[Annotated[str, Field(description="Why the agent paused.")]]
    childRunId: NotRequired[Annotated[Id, Field(description="The child that it waits for.")]]
    agent: NotRequired[Annotated[str, Field(description="The child's agent.")]]
    approvalUrl: NotRequired[Annotated[str, Field(description="For callers who may have it.")]]
    authUrl: NotRequired[Annotated[str, Field(description="For callers who may have it.")]]


class OutcomeBody(TypedDict):
    """What became of a question."""

    outcome: Annotated[
        Literal["approved", "denied", "answered", "expired", "timeout", "withdrawn"],
        Field(description="`withdrawn`: the run ended, so that nobody is needed any more."),
    ]
    choice: str | None
    answer: Any
    by: Annotated[str | None, Field(description="The name of a key, or `link`; null when nobody decided.")]
    comment: str | None
    at: Moment | None


class ApprovalBody(TypedDict):
    """What people are asked, and what became of it."""

    waitId: Id
    runId: Id
    runStatus: RunStatus
    agent: str
    prompt: str
    details: Annotated[Any, Field(description="What the decision is about: any JSON value.")]
    inputOmitted: NotRequired[Annotated[bool, Field(description="The details lack an input of more than 64 KiB.")]]
    choices: Annotated[list[str] | None, Field(description="Ways to approve, of which one is to be named.")]
    answer: Annotated[Any, Field(description="The JSON Schema of the answer; null where it is approved or denied.")]
    approvers: Annotated[list[str] | None, Field(description="Roles, of which a key that decides needs one.")]
    step: Annotated[dict[str, str] | None, Field(description="The call of a tool that waits for the approval.")]
    openedAt: Moment | None
    expiresAt: Moment | None
    digest: Annotated[str | None, Field(description="Of exactly what is shown; the event of the decision has it too.")]
    approvalUrl: Annotated[str | None, Field(description="The link, for callers who may have it.")]
    outcome: Annotated[OutcomeBody | None, Field(description="Null while somebody may decide.")]


class ApprovalPage(TypedDict):
    """A page of approvals, newest first."""

    approvals: list[ApprovalBody]
    nextCursor: str | None


class PauseBody(TypedDict):
    """Why a run is parked."""

    kind: Literal["authorization", "approval", "user", "agent"]
    reason: str | None
    since: Moment | None
    expiresAt: Moment | None
    waits: Annotated[list[WaitBody], Field(description="The open ones: 100 at most, those of people first.")]


class ErrorBody(TypedDict):
    """Why a run failed."""

    code: str
    type: str | None
    message: str
    step: str | None
    attempts: int | None


class EventBody(TypedDict):
    """One event of a run; some kinds carry more members."""

    seq: NotRequired[int]
    event: str
    runId: Id
    runStatus: RunStatus
    timestamp: Moment


class RunSummary(TypedDict):
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
    stepsTotal: Annotated[int, Field(description="Steps that are finished.")]
    stepInFlight: str | None
    controlRequest: Annotated[
        str | None, Field(description="`cancel`, `pause` or `window` (it closed), asked for and not yet done.")
    ]
    queue: str
    priority: int
    window: str | None
    concurrencyKey: str | None
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
    createdAt: Moment | None
    readyAt: Moment | None
    promotedAt: Moment | None
    startedAt: Moment | None
    finishedAt: Moment | None
    updatedAt: Moment | None


class RunBody(RunSummary):
    """A run."""

    input: Any
    result: Any
    stepsFinished: Annotated[list[StepBody], Field(description="The newest 200, oldest first.")]
    events: NotRequired[list[EventBody]]


class RunPage(TypedDict):
    """A page of runs, newest first."""

    runs: list[RunSummary]
    nextCursor: str | None


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


class AgentBody(TypedDict):
    """An agent, whether or not a worker serves it now."""

    name: str
    description: str | None
    queue: str
    version: str
    inputSchema: dict[str, Any]
    timeout: Annotated[str | None, Field(description="Its own default active time, ISO 8601.")]
    paused: Annotated[bool, Field(description="Whether its runs are held back.")]
    window: Annotated[str | None, Field(description="The window that gates its runs.")]
    workers: Annotated[int, Field(description="Live workers that serve it.")]
    slots: Annotated[int, Field(description="Their slots together.")]
    firstSeenAt: Moment | None
    lastSeenAt: Moment | None


class AgentList(TypedDict):
    """All agents ever served."""

    agents: list[AgentBody]


class WorkerBody(TypedDict):
    """A worker process."""

    id: Id
    name: str
    host: str
    pid: int
    queue: str
    slots: int
    leased: Annotated[int, Field(description="Runs that it executes now.")]
    agents: list[str]
    alive: Annotated[bool, Field(description="Whether its lease holds.")]
    draining: bool
    consuming: Annotated[bool, Field(description="Whether it took part in the broker's queue in the last ten seconds.")]
    startedAt: Moment | None
    leaseUntil: Moment | None


class WorkerList(TypedDict):
    """The workers that have not been declared dead."""

    workers: list[WorkerBody]


class DrainBody(TypedDict):
    """A worker that was asked to drain."""

    id: str
    draining: bool


class QueueCapacity(TypedDict):
    """How busy a queue is, over all tenants."""

    queue: str
    workers: int
    slots: int
    inFlight: Annotated[int, Field(description="Leases and tickets.")]
    executing: Annotated[int, Field(description="Leases.")]
    queued: Annotated[int, Field(description="Runs that are ready and wait for a slot.")]
    parked: int


class Capacity(TypedDict):
    """The capacity of every queue."""

    queues: list[QueueCapacity]


class PeriodBody(TypedDict):
    """A time in which a window is open, or a blackout closed."""

    begins: Moment | None
    ends: Annotated[Moment | None, Field(description="Null: further away than was looked.")]


class OverrideBody(TypedDict):
    """What holds a window open or closed for a time, whatever its timetable says."""

    state: Literal["open", "closed"]
    until: Moment | None
    by: str | None
    reason: str | None


class WindowSummary(TypedDict):
    """A recurring time in which runs may, or with kind `blackout` may not, go."""

    name: str
    cron: str
    duration: Annotated[str, Field(description="ISO 8601, elapsed time.")]
    timezone: str
    kind: Literal["window", "blackout"]
    onClose: Literal["finish", "pause"]
    open: Annotated[bool, Field(description="Whether runs may go now, by its override or its timetable.")]
    until: Annotated[Moment | None, Field(description="Until when that holds; null: further away than was looked.")]
    override: OverrideBody | None


class WindowList(TypedDict):
    """All windows, by name."""

    windows: list[WindowSummary]


class WindowChangeBody(TypedDict):
    """What somebody did to a window."""

    at: Moment | None
    by: str
    change: Literal["put", "deleted", "override", "override_ended"]
    data: dict[str, Any] | None


class WindowBody(WindowSummary):
    """A window with its next periods."""

    next: Annotated[list[PeriodBody], Field(description="By its timetable: the period of now, if any, and later ones.")]
    queues: Annotated[list[str], Field(description="Queues whose runs it gates.")]
    agents: Annotated[list[str], Field(description="Agents whose runs it gates.")]
    changes: Annotated[list[WindowChangeBody], Field(description="The newest 20, newest first.")]


class QueueBody(TypedDict):
    """What ops said of a queue."""

    name: str
    paused: bool
    window: str | None


class QueueList(TypedDict):
    """All queues, by name."""

    queues: list[QueueBody]


class FiringBody(TypedDict):
    """What a schedule's firing came to."""

    at: Annotated[Moment | None, Field(description="The time that it was for.")]
    outcome: Literal["fired", "skipped", "by_hand"]
    runId: Id | None


class ScheduleSummary(TypedDict):
    """A recurring run."""

    name: str
    cron: str
    timezone: str
    overlap: Literal["skip", "queue"]
    catchUp: Literal["none", "last"]
    paused: bool
    agent: str
    nextAt: Annotated[Moment | None, Field(description="When it fires next; null while it is paused.")]
    lastAt: Annotated[Moment | None, Field(description="The time that it last fired for.")]
    openRuns: Annotated[int, Field(description="Its runs that had not ended when it last fired.")]


class ScheduleList(TypedDict):
    """The tenant's schedules, by name."""

    schedules: list[ScheduleSummary]


class ScheduleBody(ScheduleSummary):
    """A schedule with what it enqueues, its next times and its newest firings."""

    run: Annotated[dict[str, Any], Field(description="As POST /v1/runs takes it.")]
    next: list[Moment | None]
    firings: Annotated[list[FiringBody], Field(description="The newest 20, newest first.")]


class AuthorizationBody(TypedDict):
    """What a person is asked to authorize, and what came of it."""

    waitId: Id
    runId: Id
    runStatus: RunStatus
    agent: str
    provider: str
    subject: Annotated[str, Field(description="Whose authorization it is.")]
    scopes: list[str]
    missingScopes: Annotated[list[str], Field(description="What the provider did not give; the run waits for it.")]
    openedAt: Moment | None
    expiresAt: Moment | None
    outcome: Annotated[str | None, Field(description="Null while the run waits.")]


class ProviderBody(TypedDict):
    """An OAuth 2 provider, without its client secret."""

    name: str
    authorizeUrl: str
    tokenUrl: str
    revocationUrl: str | None
    clientId: str
    clientAuth: Annotated[
        Literal["basic", "post", "none"], Field(description="How the client secret is sent; none without one.")
    ]
    scopes: Annotated[list[str], Field(description="Asked for with every authorization.")]
    parameters: Annotated[dict[str, str], Field(description="Added to the address where people authorize.")]
    createdAt: Moment | None
    updatedAt: Moment | None


class ProviderList(TypedDict):
    """The providers."""

    providers: list[ProviderBody]


class GrantBody(TypedDict):
    """What somebody authorized; its tokens are shown to nobody."""

    id: Id
    provider: str
    subject: str
    scopes: list[str]
    refreshable: Annotated[bool, Field(description="Whether its token is renewed without a person.")]
    expiresAt: Annotated[Moment | None, Field(description="Of the present token.")]
    createdAt: Moment | None
    refreshedAt: Annotated[Moment | None, Field(description="When its token was last given or renewed.")]
    revokedAt: Moment | None


class GrantPage(TypedDict):
    """A page of the tenant's grants, newest first."""

    grants: list[GrantBody]
    nextCursor: str | None


class KeyBody(TypedDict):
    """An API key, without its secret."""

    id: Id
    tenant: str
    name: str
    scopes: list[str]
    roles: list[str]
    createdAt: Moment | None
    revokedAt: Moment | None


class NewKeyAnswer(KeyBody):
    """A key that was just made."""

    key: Annotated[str, Field(description="The secret; shown only this once.")]


class KeyList(TypedDict):
    """The tenant's keys."""

    keys: list[KeyBody]


class Health(TypedDict):
    """Whether the process lives."""

    status: Literal["alive"]


class Readiness(TypedDict):
    """Whether the process can do its job."""

    status: Literal["ready"]
    database: Literal["there"]
    redis: Annotated[Literal["there", "away"], Field(description="Away costs latency, nothing else.")]


class FieldProblem(TypedDict):
    """What is wrong with one field."""

    field: str
    detail: str


class ProblemDocument(TypedDict):
    """Why a call was refused (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: NotRequired[list[FieldProblem]]
