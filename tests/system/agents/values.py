"""Agents whose steps return what nobody can record."""

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
    """Fail at a step that returns something bad."""
    run.step(produce, what)
    return "unreachable"


@agent
def catches(run: Run, what: str) -> str:
    """Go another way when the step failed."""
    try:
        run.step(produce, what)
    except Exception as error:  # noqa: BLE001 - shown to whoever asks
        return f"{type(error).__name__}: {error}"
    return "unreachable"


@agent
def returns(run: Run, what: str) -> Any:
    """Return something bad."""
    return VALUES[what]


@agent
def harmless(run: Run, number: int, factor: float = 2.0) -> float:
    """Return a product."""
    return run.using(name="product").step(lambda: number * factor)
