"""References to agents in calls that start runs: a name, or a declared function, whose result keeps its type."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from taxiway.agents import DECLARED, Agent
from taxiway.durations import Duration
from taxiway.shapes import Shape

if TYPE_CHECKING:
    # For type checkers only: `Child` and `RunHandle` without a parameter mean a result of any type, in strict mode too.
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
    """An agent as a caller names it; `agent` is None if this process has not declared it."""

    name: str
    agent: Agent | None = None

    @property
    def shape(self) -> Shape | None:
        """The shape of its result, None if it is unknown."""
        return None if self.agent is None else self.agent.result


def refer_to(agent: object) -> Reference:
    """Return the reference to an agent; raise TypeError for anything but a name or a declared agent."""
    if isinstance(agent, str):
        found = [one for one in DECLARED if one.name == agent]
        # In tests several modules may declare one name: then the name does not tell the type.
        return Reference(agent, found[-1] if len({one.function.__module__ for one in found}) == 1 else None)
    for declared in DECLARED:
        if declared.function is agent:
            return Reference(declared.name, declared)
    raise TypeError(f"an agent is given by its name, or as a function declared with @agent, not {agent!r:.80}")
