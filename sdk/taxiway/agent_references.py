"""Types of the calls that start runs: by the name of an agent or by its function, whose result keeps its type."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from taxiway.agents import DECLARED, Agent
from taxiway.durations import Duration
from taxiway.shapes import Shape

if TYPE_CHECKING:
    # Only checkers need it: `Child` and `RunHandle` without a parameter mean a result of any type, also in strict mode.
    from typing_extensions import TypeVar as TypeVarWithDefault

    R_co = TypeVarWithDefault("R_co", covariant=True, default=Any)
else:
    R_co = TypeVar("R_co", covariant=True)

T = TypeVar("T")
AsyncAgent = Callable[..., Coroutine[Any, Any, T]]
AnyAgent = str | Callable[..., Any]
Inputs = Mapping[str, Any] | None


class SpawnOptions(TypedDict, total=False):
    """The options of `spawn`, `map`, `map_results` and `child`."""

    key: str | None
    queue: str | None
    priority: int | None
    timeout: Duration | None


@dataclass(frozen=True)
class Reference:
    """An agent as a caller names it; `agent` is None where this process does not know it."""

    name: str
    agent: Agent | None = None

    @property
    def shape(self) -> Shape | None:
        """The shape of its result, None where nobody here knows it."""
        return None if self.agent is None else self.agent.result


def refer_to(agent: object) -> Reference:
    """Return what is known of an agent; raise TypeError for what is no name and no declared agent."""
    if isinstance(agent, str):
        found = [one for one in DECLARED if one.name == agent]
        # Several modules may declare one name in a test: then it says nothing about the type.
        return Reference(agent, found[-1] if len({one.function.__module__ for one in found}) == 1 else None)
    for declared in DECLARED:
        if declared.function is agent:
            return Reference(declared.name, declared)
    raise TypeError(f"an agent is given by its name, or as the function that was declared one, not {agent!r:.80}")
