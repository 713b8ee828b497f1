"""Why a run is not executing."""

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

    agents: Annotated[list[str], Field(description="That it serves; none until it has said so.")]
    draining: bool
    consuming: bool


class SlotHolder(TypedDict):
    """What keeps the slot of an agent that only waits."""

    kind: Annotated[str, Field(description="Such as `timer`, `socket`, `thread`, `task` or `step`.")]
    what: Annotated[str | None, Field(description="In words for people.")]
    file: Annotated[
        str | None, Field(description="Where it was begun in the agent's code; null where that is not known.")
    ]
    line: int | None


BlockerKind = Annotated[
    Literal[
        "held", "pause", "approval", "authorization", "signal", "code_mismatch", "child", "timer", "window_wait", "slot_held",
        "queue_paused", "queue_cordoned", "agent_paused", "window_closed", "not_before", "overlap", "key", "tenant_limit",
        "place", "rate", "queue_limit", "agent_limit", "no_scheduler", "no_worker", "agent_unserved", "declined",
        "capacity", "promotion", "promoted", "recovering",
    ],
    Field(
        description="What it is, by a name that stays.\n\n"
        "What somebody did to this run: `held` (a pause that is recorded), `pause` (by a user or by its agent).\n\n"
        "What a run waits for: `approval`, `authorization`, `signal`, `code_mismatch` (its code was changed), `child`, "
        "`timer`, `window_wait` (its window closed while it executed). An executing run has those that its agent awaits "
        "meanwhile, and `slot_held` where the agent only waits and yet keeps its slot.\n\n"
        "What holds many: `queue_paused`, `queue_cordoned` (no new runs), `agent_paused`, `window_closed`.\n\n"
        "What it has to wait for: `not_before`, `overlap` (the run of its schedule before it), `key` (a place of its "
        "concurrency key), `tenant_limit` (a place of its tenant), `place` (it just asks for one), `rate`, `queue_limit`, "
        "`agent_limit`.\n\n"
        "What does the work: `no_scheduler`, `no_worker`, `agent_unserved` (by the workers there are), `declined` (it is "
        "offered again), `capacity` (its turn, while all slots are taken), `promotion` (nothing holds it), `promoted` (a "
        "worker is about to take it), `recovering` (its worker was lost)."
    ),
]  # fmt: skip


class BlockerBody(TypedDict):
    """One thing that keeps a run from executing, or its agent from going on; which facts there are depends on its kind."""

    kind: BlockerKind
    detail: Annotated[str, Field(description="A sentence for people; its wording may change.")]
    since: Annotated[Moment | None, Field(description="Null where that is not known.")]
    until: Annotated[Moment | None, Field(description="When it is over by itself; null where that is not known.")]

    waitId: NotRequired[Annotated[Id, Field(description="Of what a run waits for.")]]
    wake: NotRequired[
        Annotated[
            Literal["all", "any"], Field(description="Of a parked run: whether all of its waits must be over, or one.")
        ]
    ]
    slotHeldBy: NotRequired[Annotated[list[SlotHolder], Field(description="What keeps the slot: 20 at most.")]]
    by: NotRequired[Annotated[str, Field(description="The key that paused the run, or holds the window closed.")]]
    comment: NotRequired[Annotated[str, Field(description="What was said with it.")]]
    pausedBy: NotRequired[Literal["user", "agent"]]
    reason: NotRequired[Annotated[str, Field(description="Why the agent paused.")]]
    prompt: NotRequired[Annotated[str, Field(description="What people are asked.")]]
    approvers: NotRequired[Annotated[list[str], Field(description="Roles, of which a key that decides needs one.")]]
    provider: NotRequired[str]
    scopes: NotRequired[list[str]]
    subject: NotRequired[str]
    signal: NotRequired[Annotated[str, Field(description="The name of the signal.")]]
    window: NotRequired[str]
    through: NotRequired[
        Annotated[list[Literal["run", "queue", "agent"]], Field(description="What names the window that is closed.")]
    ]
    overrideUntil: NotRequired[Annotated[Moment, Field(description="How long somebody holds the window closed.")]]
    schedule: NotRequired[str]
    key: NotRequired[Annotated[str, Field(description="The run's concurrency key.")]]
    queue: NotRequired[str]
    agent: NotRequired[str]
    limit: NotRequired[Annotated[int, Field(description="How many there may be.")]]
    used: NotRequired[Annotated[int, Field(description="How many there are.")]]
    perSeconds: NotRequired[Annotated[float, Field(description="The span of a rate.")]]
    runs: NotRequired[
        Annotated[
            list[RunNamed],
            Field(description="The child; who holds places; the earlier runs of a schedule: 20 at most."),
        ]
    ]
    ahead: NotRequired[Annotated[int, Field(description="Runs that go before it, as things stand: counted to 10,000.")]]
    aheadIsMore: NotRequired[Annotated[bool, Field(description="There are more than `ahead`.")]]
    slots: NotRequired[Annotated[int, Field(description="Of the workers that take runs.")]]
    executing: NotRequired[Annotated[int, Field(description="Slots that execute runs.")]]
    promised: NotRequired[Annotated[int, Field(description="Slots that promoted runs are about to take.")]]
    workers: NotRequired[Annotated[list[WorkerInstead], Field(description="The queue's workers: 20 at most.")]]
    worker: NotRequired[Annotated[WorkerNamed, Field(description="The worker that was lost.")]]
    publications: NotRequired[Annotated[int, Field(description="How often its ticket was published.")]]


class ExplanationBody(TypedDict):
    """Where a run stands, and everything that it waits for now, in the order in which to remove it."""

    runId: Id
    at: Annotated[Moment, Field(description="The moment of which all of this is true, by the clock of the database.")]
    status: RunStatus
    pauseKind: str | None
    reason: str | None
    executing: Annotated[bool, Field(description="Whether a worker that lives executes it.")]
    since: Annotated[Moment | None, Field(description="Since when it executes, or has ended; else null.")]
    worker: Annotated[WorkerNamed | None, Field(description="That executes it.")]
    stepInFlight: str | None
    controlRequest: Annotated[
        str | None, Field(description="`cancel`, `pause` or `window` (it closed), asked for and not yet done.")
    ]
    blockers: Annotated[
        list[BlockerBody], Field(description="None when it has ended; while it executes what its agent awaits.")
    ]
    omitted: Annotated[int, Field(description="Further waits: the first 100 are shown, those of people before others.")]
