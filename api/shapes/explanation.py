"""Explanations: the reasons why a run is not executing."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.scalars import Id, Moment, RunStatus


class RunNamed(TypedDict):
    """A run of the same tenant."""

    runId: Id
    status: RunStatus


class WorkerNamed(TypedDict):
    """A worker process."""

    workerId: Id
    name: str


class WorkerInstead(WorkerNamed):
    """A worker of the queue that does not take the run."""

    agents: Annotated[list[str], Field(description="The agents that it serves; empty until it has registered them.")]
    draining: bool
    consuming: bool


class SlotHolder(TypedDict):
    """A reason why a waiting agent keeps its slot."""

    kind: Annotated[str, Field(description="Such as `timer`, `socket`, `thread`, `task` or `step`.")]
    what: Annotated[str | None, Field(description="A description for people.")]
    file: Annotated[str | None, Field(description="Where the agent's code started it; null if unknown.")]
    line: int | None


BlockerKind = Annotated[
    Literal[
        "held",
        "pause",
        "approval",
        "authorization",
        "signal",
        "code_mismatch",
        "child",
        "timer",
        "window_wait",
        "slot_held",
        "queue_paused",
        "queue_cordoned",
        "agent_paused",
        "window_closed",
        "not_before",
        "overlap",
        "key",
        "tenant_limit",
        "place",
        "rate",
        "queue_limit",
        "agent_limit",
        "no_scheduler",
        "no_worker",
        "agent_unserved",
        "declined",
        "capacity",
        "promotion",
        "promoted",
        "recovering",
    ],
    Field(
        description="A stable name.\n\n"
        "Actions on this run: `held` (a recorded pause), `pause` (by a user or by its agent).\n\n"
        "Waits of the run: `approval`, `authorization`, `signal`, `code_mismatch` (its code was changed), `child`, `timer`, "
        "`window_wait` (its window closed while it executed). For an executing run, these are the waits of its agent, with "
        "`slot_held` if the agent only waits but keeps its slot.\n\n"
        "Gates of many runs: `queue_paused`, `queue_cordoned` (no new runs), `agent_paused`, `window_closed`.\n\n"
        "Times and limits: `not_before`, `overlap` (an earlier run of its schedule), `key` (a place of its concurrency key), "
        "`tenant_limit` (a place of its tenant), `place` (its request for a place is not checked yet), `rate`, `queue_limit`, "
        "`agent_limit`.\n\n"
        "Workers and the scheduler: `no_scheduler`, `no_worker`, `agent_unserved` (by the present workers), `declined` (it is "
        "offered again), `capacity` (all slots are taken), `promotion` (nothing blocks it), `promoted` (a worker is about to "
        "take it), `recovering` (its worker was lost)."
    ),
]


class BlockerBody(TypedDict):
    """One reason why a run is not executing, or its agent not continuing; the further members depend on the kind."""

    kind: BlockerKind
    detail: Annotated[str, Field(description="A sentence for people; its wording may change.")]
    since: Annotated[Moment | None, Field(description="Null if unknown.")]
    until: Annotated[Moment | None, Field(description="When it ends by itself; null if unknown.")]

    waitId: NotRequired[Annotated[Id, Field(description="The wait.")]]
    wake: NotRequired[
        Annotated[
            Literal["all", "any"],
            Field(description="For a parked run: it continues after all of its waits, or after any."),
        ]
    ]
    slotHeldBy: NotRequired[Annotated[list[SlotHolder], Field(description="Reasons for the kept slot, at most 20.")]]
    by: NotRequired[Annotated[str, Field(description="The key that paused the run, or holds the window closed.")]]
    comment: NotRequired[Annotated[str, Field(description="The comment of the pause or override.")]]
    pausedBy: NotRequired[Literal["user", "agent"]]
    reason: NotRequired[Annotated[str, Field(description="Why the agent paused.")]]
    prompt: NotRequired[Annotated[str, Field(description="The question for people.")]]
    approvers: NotRequired[Annotated[list[str], Field(description="A key that decides needs one of these roles.")]]
    provider: NotRequired[str]
    scopes: NotRequired[list[str]]
    subject: NotRequired[str]
    signal: NotRequired[Annotated[str, Field(description="The name of the signal.")]]
    window: NotRequired[str]
    through: NotRequired[
        Annotated[list[Literal["run", "queue", "agent"]], Field(description="Where the closed window is named.")]
    ]
    overrideUntil: NotRequired[
        Annotated[Moment, Field(description="End of the override that holds the window closed.")]
    ]
    schedule: NotRequired[str]
    key: NotRequired[Annotated[str, Field(description="The run's concurrency key.")]]
    queue: NotRequired[str]
    agent: NotRequired[str]
    limit: NotRequired[Annotated[int, Field(description="The limit.")]]
    used: NotRequired[Annotated[int, Field(description="The present number.")]]
    perSeconds: NotRequired[Annotated[float, Field(description="The span of a rate.")]]
    runs: NotRequired[
        Annotated[
            list[RunNamed],
            Field(description="The child, the holders of places, or the earlier runs of a schedule: at most 20."),
        ]
    ]
    ahead: NotRequired[Annotated[int, Field(description="Runs that precede it at present, counted to 10,000.")]]
    aheadIsMore: NotRequired[Annotated[bool, Field(description="There are more than `ahead`.")]]
    slots: NotRequired[Annotated[int, Field(description="Slots of the workers that take runs.")]]
    executing: NotRequired[Annotated[int, Field(description="Slots that execute runs.")]]
    promised: NotRequired[Annotated[int, Field(description="Slots reserved for promoted runs.")]]
    workers: NotRequired[Annotated[list[WorkerInstead], Field(description="The queue's workers, at most 20.")]]
    worker: NotRequired[Annotated[WorkerNamed, Field(description="The worker that was lost.")]]
    publications: NotRequired[Annotated[int, Field(description="Number of publications of its ticket.")]]


class ExplanationBody(TypedDict):
    """State of a run, and everything that blocks it now, in the order in which to remove it."""

    runId: Id
    at: Annotated[Moment, Field(description="The time of this explanation, by the database's clock.")]
    status: RunStatus
    pauseKind: str | None
    reason: str | None
    executing: Annotated[bool, Field(description="Whether a live worker executes it.")]
    since: Annotated[Moment | None, Field(description="Start of its execution, or its end; else null.")]
    worker: Annotated[WorkerNamed | None, Field(description="The worker that executes it.")]
    stepInFlight: str | None
    controlRequest: Annotated[
        str | None, Field(description="Pending request: `cancel`, `pause` or `window` (its window closed).")
    ]
    blockers: Annotated[
        list[BlockerBody], Field(description="Empty for an ended run; for an executing one, the waits of its agent.")
    ]
    omitted: Annotated[
        int, Field(description="Number of further waits: only the first 100 are shown, waits for people first.")
    ]
