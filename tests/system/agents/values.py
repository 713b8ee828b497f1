"""Agents whose steps return values that cannot be recorded."""

from __future__ import annotations

from typing import Any

from taxiway import Run, agent

VALUES: dict[str, Any] = {
    "nan": {"rows": [{"price": 1.5}, {"price": float("nan")}]},
    "infinity": [float("inf")],
    "nul": {"scraped": {"text": "before\0after"}},
    "surrogate": {"emoji": "\ud83d"},
    "set": {"tags": {"a", "b"}},
    "object": [object()],
    "key": {"counts": {1: "one"}},
    "large": "x" * (2 << 20),
}


def produce(what: str) -> Any:
    return VALUES[what]


@agent
def produces(run: Run, what: str) -> str:
    """Fail at a step that returns a value that cannot be recorded."""
    run.step(produce, what)
    return "unreachable"


@agent
def catches(run: Run, what: str) -> str:
    """Take another path after the step has failed."""
    try:
        run.step(produce, what)
    except Exception as error:  # noqa: BLE001 - returned as the result
        return f"{type(error).__name__}: {error}"
    return "unreachable"


@agent
def returns(run: Run, what: str) -> Any:
    """Return a value that cannot be recorded."""
    return VALUES[what]


@agent
def harmless(run: Run, number: int, factor: float = 2.0) -> float:
    """Return a product."""
    return run.using(name="product").step(lambda: number * factor)
