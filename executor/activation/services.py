"""Services of the worker that an activation uses."""

from collections.abc import Callable
from typing import Protocol

from executor.activation.grant_requests import Authorizations
from executor.activation.reading import Reading
from executor.recorder.recorder import Recorder
from models.runtime.bus import Bus
from models.runtime.settings import Settings


class ActivationServices(Reading, Protocol):
    """The worker, as a supervised activation uses it."""

    settings: Settings
    recorder: Recorder
    bus: Bus
    authorizations: Authorizations

    def soon(self, job: Callable[[], None]) -> None: ...
    def must_leave(self, steps_in_flight: int) -> bool: ...
    @property
    def draining(self) -> bool: ...
