"""Commands that the script of a verb yields, each with the answer that its player sends back in.

A command that cannot be carried out is answered by an exception thrown in.

    command    answer
    Tell       None, as soon as the frame is written
    Commit     the worker's answer, once it has committed the frame (NotRecorded is thrown in if it refuses)
    Recall     the recorded JSON text
    Execute    an Attempt with the value or the error of the function
    Await      None, once the wait is resolved (perhaps in another activation)
    Sleep      None, after the delay
    Renew      None, once the step has an authorization again (perhaps in another activation)
    Seen       None, once the run has seen all earlier records; CancelledError for a step that was given up
    Live       None, once the run has seen all records: new things may happen from then on
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
        """Return the fields that identify the step in its frames."""
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
    """Call the step's function once."""

    call: StepCall
    attempt: int


@dataclass(frozen=True)
class Await:
    """Wait for something; the run is parked if that takes long."""

    wait: Wait


@dataclass(frozen=True)
class Sleep:
    """Wait for the delay before attempt number `attempt`; the run is parked for a long one."""

    call: StepCall
    attempt: int
    seconds: float


@dataclass(frozen=True)
class Renew:
    """Wait for a new authorization in place of one that a step has lost."""

    call: StepCall
    grant: Grant


@dataclass(frozen=True)
class Seen:
    """Wait for the turn of a recorded step in the order of the records."""

    key: str


@dataclass(frozen=True)
class Live:
    """Wait until the run has seen all records."""


LIVE: Final = Live()


Command = Tell | Commit | Recall | Execute | Await | Sleep | Renew | Seen | Live
Script = Generator[Command, Any, Any]


@dataclass(frozen=True)
class Attempt:
    """Result of one call of a step's function; `timed_out` applies even if the function returned afterwards."""

    value: Any = None
    error: BaseException | None = None
    timed_out: bool = False
