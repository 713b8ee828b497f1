"""Outcome of an activation: data, matched exhaustively where it is recorded and where Flower shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from models.control_requests import why_canceled
from models.lifecycle import Reason, Verb
from models.moves import NewWait


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The agent returned; `value` is the result's JSON text."""

    n: int
    value: str


@dataclass(frozen=True, slots=True)
class Restarted:
    """The agent restarts with this input (JSON text): another run takes over."""

    n: int
    input: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The run fails; `error` is the public error object, `reason` its machine-readable cause."""

    n: int
    reason: str
    error: dict[str, Any]
    in_flight: str | None = None
    stopped: str | None = None
    cleanup: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Canceled:
    """A cancel reached the host; `stopped` is how its code ended: `returned`, `interrupted`, `killed` or `died`.

    `cleanup` names the steps by which the code undid something after the cancel.
    """

    n: int
    in_flight: str | None
    stopped: str
    by: str | None = None
    comment: str | None = None
    reason: Reason = Reason.BY_USER
    cleanup: tuple[str, ...] = ()


def canceled(
    n: int, in_flight: str | None, stopped: str, by: str | None, comment: str | None, *, cleanup: tuple[str, ...] = ()
) -> Canceled:
    """Return the outcome of a requested cancel; its reason follows from the requester."""
    return Canceled(n, in_flight, stopped, by, comment, why_canceled(by), cleanup)


@dataclass(frozen=True, slots=True)
class Parked:
    """The run waits for `waits`; until they are resolved it holds no slot."""

    n: int
    verb: Verb
    reason: Reason
    waits: tuple[NewWait, ...]
    wake: str = "all"
    behind_lock: bool = False
    """Whether outcomes were sent to the host: it may park for one of them that it had not read."""


def parked(n: int, waits: Sequence[NewWait], wake: str = "all", *, behind_lock: bool = False) -> Parked:
    """Choose the parked status: authorization before approval before any other wait."""
    kinds = {wait.kind for wait in waits}
    if "authorization" in kinds:
        return Parked(n, Verb.REQUIRE_AUTHORIZATION, Reason.AUTHORIZATION_NEEDED, tuple(waits), wake, behind_lock)
    if "approval" in kinds:
        answer = any(wait.request.get("answer") is not None for wait in waits)
        reason = Reason.ANSWER_NEEDED if answer else Reason.APPROVAL_NEEDED
        return Parked(n, Verb.AWAIT_APPROVAL, reason, tuple(waits), wake, behind_lock)
    return Parked(n, Verb.PAUSE_BY_AGENT, Reason.WAITING, tuple(waits), wake, behind_lock)


@dataclass(frozen=True, slots=True)
class Paused:
    """The run paused because a user asked for it or, if `window` is set, because that window closed."""

    window: str | None = None


@dataclass(frozen=True, slots=True)
class HostLost:
    """The host died, hung or sent malformed frames: a crash."""

    in_flight: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class HandedBack:
    """The worker released the run, which continues on another worker from its last step; no crash."""

    reason: str
    in_flight: str | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """Nothing is recorded: the ticket was stale or declined, or the epoch has passed."""

    why: str


Outcome = Succeeded | Restarted | Failed | Canceled | Parked | Paused | HostLost | HandedBack | Dropped


def flower_label(outcome: Outcome) -> str:
    """Return the outcome's name in Flower; it never holds data of the run."""
    match outcome:
        case Succeeded():
            return "succeeded"
        case Restarted():
            return "succeeded:restarted"
        case Failed(reason=reason):
            return f"failed:{reason}"
        case Canceled():
            return "canceled"
        case Parked(reason=reason):
            return f"parked:{reason}"
        case Paused(window=window):
            return f"parked:{Reason.WINDOW_CLOSED if window else Reason.BY_USER}"
        case HostLost():
            return "recovered:host_lost"
        case HandedBack(reason=reason):
            return f"handed_back:{reason}"
        case Dropped(why=why):
            return f"dropped:{why}"
        case _:
            assert_never(outcome)
