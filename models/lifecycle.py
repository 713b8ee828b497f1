"""The law of a run's life: its statuses, the moves between them, and what each is called outside.

Everything here is data. `models.moves` turns a move into one guarded statement; nothing else decides what is legal.
"""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    AUTH_REQUIRED = "AUTH_REQUIRED"
    PAUSED = "PAUSED"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


class PauseKind(StrEnum):
    APPROVAL = "approval"
    USER = "user"
    AGENT = "agent"


class Verb(StrEnum):
    ENQUEUE = "enqueue"
    START = "start"
    CONTINUE = "continue"
    RECOVER = "recover"
    HAND_BACK = "hand_back"
    REQUIRE_AUTHORIZATION = "require_authorization"
    AWAIT_APPROVAL = "await_approval"
    PAUSE_BY_USER = "pause_by_user"
    PAUSE_BY_AGENT = "pause_by_agent"
    RESUME = "resume"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"


class Reason(StrEnum):
    """Why a run's status changed; the closed list that the API, events and webhooks use."""

    BY_USER = "by_user"
    BY_PARENT = "by_parent"
    SKIPPED = "skipped"
    SUPERSEDED = "superseded"
    APPROVAL_NEEDED = "approval_needed"
    ANSWER_NEEDED = "answer_needed"
    APPROVED = "approved"
    ANSWERED = "answered"
    DENIED = "denied"
    AUTHORIZATION_NEEDED = "authorization_needed"
    AUTHORIZED = "authorized"
    AUTHORIZATION_FAILED = "authorization_failed"
    WAITING = "waiting"
    WAIT_OVER = "wait_over"
    WINDOW_CLOSED = "window_closed"
    WINDOW_OPENED = "window_opened"
    CODE_MISMATCH = "code_mismatch"
    EXPIRED = "expired"
    TIMEOUT = "timeout"
    STEP_ERROR = "step_error"
    AGENT_ERROR = "agent_error"
    CHILD_FAILED = "child_failed"
    INVALID_INPUT = "invalid_input"
    INVALID_OUTPUT = "invalid_output"
    OUTPUT_TOO_LARGE = "output_too_large"
    HISTORY_LIMIT = "history_limit"
    ONCE_UNKNOWN = "once_unknown"
    CRASHED = "crashed"
    HOST_LOST = "host_lost"
    WORKER_LOST = "worker_lost"
    DRAINED = "drained"


@dataclass(frozen=True)
class State:
    """A status together with the pause kind that tells PAUSED apart."""

    status: Status
    pause_kind: PauseKind | None = None


QUEUED = State(Status.QUEUED)
RUNNING = State(Status.RUNNING)
AUTH_REQUIRED = State(Status.AUTH_REQUIRED)
PAUSED_APPROVAL = State(Status.PAUSED, PauseKind.APPROVAL)
PAUSED_USER = State(Status.PAUSED, PauseKind.USER)
PAUSED_AGENT = State(Status.PAUSED, PauseKind.AGENT)
SUCCESS = State(Status.SUCCESS)
FAILED = State(Status.FAILED)
CANCELED = State(Status.CANCELED)

TERMINAL = frozenset({Status.SUCCESS, Status.FAILED, Status.CANCELED})
PARKED = frozenset({AUTH_REQUIRED, PAUSED_APPROVAL, PAUSED_USER, PAUSED_AGENT})
STATES = (QUEUED, RUNNING, AUTH_REQUIRED, PAUSED_APPROVAL, PAUSED_USER, PAUSED_AGENT, SUCCESS, FAILED, CANCELED)


@dataclass(frozen=True)
class Move:
    """One verb of the lifecycle: where it may begin, where it ends, and its names outside."""

    verb: Verb
    sources: frozenset[State]
    target: State
    event: str
    webhook: str | None = None


def _move(verb: Verb, sources: set[State], target: State, event: str = "status", webhook: str | None = None) -> Move:
    return Move(verb, frozenset(sources), target, event, webhook)


MOVES: dict[Verb, Move] = {
    move.verb: move
    for move in (
        _move(Verb.ENQUEUE, set(), QUEUED, "status", "run.queued"),
        _move(Verb.START, {QUEUED}, RUNNING, "start", "run.started"),
        _move(Verb.CONTINUE, {RUNNING}, RUNNING),
        _move(Verb.RECOVER, {RUNNING}, RUNNING),
        _move(Verb.HAND_BACK, {RUNNING}, RUNNING),
        _move(Verb.REQUIRE_AUTHORIZATION, {RUNNING}, AUTH_REQUIRED, "authentication", "run.authorization_required"),
        _move(Verb.AWAIT_APPROVAL, {RUNNING}, PAUSED_APPROVAL, "run_approval", "run.approval_required"),
        # A user pause of a QUEUED run is recorded as a hold; only a started run is ever PAUSED.
        _move(Verb.PAUSE_BY_USER, {RUNNING}, PAUSED_USER, "status", "run.paused"),
        _move(Verb.PAUSE_BY_AGENT, {RUNNING}, PAUSED_AGENT, "status", "run.paused"),
        _move(Verb.RESUME, set(PARKED), RUNNING, "status", "run.resumed"),
        # From QUEUED, AUTH_REQUIRED and PAUSED(approval) a run may succeed by the law of the documented lifecycles;
        # no code path of ours issues it.
        _move(Verb.SUCCEED, {RUNNING, QUEUED, AUTH_REQUIRED, PAUSED_APPROVAL}, SUCCESS, "end", "run.succeeded"),
        _move(Verb.FAIL, {QUEUED, RUNNING, AUTH_REQUIRED, PAUSED_APPROVAL, PAUSED_AGENT}, FAILED, "end", "run.failed"),
        _move(Verb.CANCEL, {QUEUED, RUNNING, *PARKED}, CANCELED, "end", "run.canceled"),
    )
}

# The second vocabulary and the category of every state.
_OUTSIDE: dict[State, tuple[str, str]] = {
    QUEUED: ("starting", "processing"),
    RUNNING: ("running", "processing"),
    AUTH_REQUIRED: ("awaiting_confirmation", "awaiting"),
    PAUSED_APPROVAL: ("awaiting_confirmation", "awaiting"),
    PAUSED_USER: ("paused", "paused"),
    PAUSED_AGENT: ("paused_by_agent", "paused"),
    SUCCESS: ("completed", "terminal"),
    FAILED: ("failed", "terminal"),
    CANCELED: ("cancelled", "terminal"),
}
CATEGORIES = ("processing", "awaiting", "paused", "terminal")


def execution_status(state: State) -> str:
    """Return the state's name in the second vocabulary, for example `paused_by_agent`."""
    return _OUTSIDE[state][0]


def category(state: State) -> str:
    """Return which of the four categories the state belongs to."""
    return _OUTSIDE[state][1]
