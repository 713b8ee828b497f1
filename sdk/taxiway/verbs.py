"""What Run and AsyncRun have in common, and which verbs this version has not learnt yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NoReturn

from taxiway.activation import Activation
from taxiway.errors import NotAvailable
from taxiway.inside import refuse_inside_step

_WAITS: Final = ("approve", "ask", "authorize", "gather", "first")
_UNOPENED: Final = ("approval", "signal", "timer", "child")
NOT_YET: Final = frozenset((*_WAITS, *_UNOPENED, "spawn", "map", "restart"))


class RunFacts:
    """What an agent knows about its run."""

    def __init__(self, activation: Activation) -> None:
        self._activation = activation

    @property
    def id(self) -> str:
        """The run's id."""
        return self._activation.order.run_id

    @property
    def user_id(self) -> str | None:
        """The user on whose behalf the run was enqueued."""
        return self._activation.order.user_id

    @property
    def metadata(self) -> Mapping[str, str]:
        """What was attached to the run when it was enqueued."""
        return MappingProxyType(self._activation.order.metadata)

    @property
    def activation(self) -> int:
        """How many activations the run has had, this one included."""
        return self._activation.order.number

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        if name not in NOT_YET:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

        def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
            refuse_inside_step(name)
            raise NotAvailable(f"run.{name}(…) is not available in this version of Taxiway")

        return refuse
