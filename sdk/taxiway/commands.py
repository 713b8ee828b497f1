"""Commands that the script of a verb yields, each with the answer that its player sends back in.

A command that cannot be carried out is answered by an exception thrown in.

    yielded    answered with
    Tell       None, as soon as the frame is written
    Commit     once the worker has committed it, what it says of that (NotRecorded is thrown in when it refuses)
    Recall     the recorded JSON text
    Execute    an Attempt: value or error, whichever the function came to
    Await      None, once the wait is over (which may be in another activation)
    Sleep      None, when the time is over
    Renew      None, once the step's authorization is there again (which may be in another activation)
    Seen       None, once the run has seen what was recorded before this; CancelledError where the step was given up
    Live       None, once the run has seen all that was recorded: from here on something new may happen
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final

from taxiway.authorizations import Grant
from taxiway.frames import Kind
from taxiway.steps import StepPlan
from taxiway.waits import Wait


@dataclass(frozen=True)
class StepCall:
    """One call of a step in this activation."""

    key: str
    digest: str
    occurrence: int
    plan: StepPlan
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    approval: Wait | None = None
    renewed: Wait | None = None
    cleans_up: bool = False

    @property
    def name(self) -> str:
        """The step's name."""
        return self.plan.name

    def identity(self) -> dict[str, Any]:
        """Return the fields that name the step in its frames."""
        return {"key": self.key, "name": self.name, "digest": self.digest, "occurrence": self.occurrence}


@dataclass(frozen=True)
class Tell:
    """Write a frame."""

    kind: Kind
    fields: dict[str, Any]


@dataclass(frozen=True)
class Commit:
    """Write a frame and wait until it is recorded."""

    kind: Kind
    fields: dict[str, Any]


@dataclass(frozen=True)
class Recall:
    """Fetch a large recorded value."""

    key: str


@dataclass(frozen=True)
class Execute:
    """Call the step's function, once."""

    call: StepCall
    attempt: int


@dataclass(frozen=True)
class Await:
    """Have the run wait for something, parked if that takes long."""

    wait: Wait


@dataclass(frozen=True)
class Sleep:
    """Let time pass before attempt number `attempt`; a long time is spent parked."""

    call: StepCall
    attempt: int
    seconds: float


@dataclass(frozen=True)
class Renew:
    """Have the authorization given anew that a step has lost."""

    call: StepCall
    grant: Grant


@dataclass(frozen=True)
class Seen:
    """Wait for the turn of a recorded step, in the order of the records."""

    key: str


@dataclass(frozen=True)
class Live:
    """Wait until the run has seen all that was recorded."""


LIVE: Final = Live()


Command = Tell | Commit | Recall | Execute | Await | Sleep | Renew | Seen | Live
Script = Generator[Command, Any, Any]


@dataclass(frozen=True)
class Attempt:
    """What came of calling a step's function; `timed_out` holds whatever else it did afterwards."""

    value: Any = None
    error: BaseException | None = None
    timed_out: bool = False
