"""Order of a worker: one activation of a run, with its agent, input and size limits."""

from __future__ import annotations

from dataclasses import dataclass

from taxiway.frames import Frame


@dataclass(frozen=True)
class Limits:
    """Size limits of a step's value, a result, an event and a run's input, in bytes of JSON."""

    value: int = 1024 * 1024
    result: int = 1024 * 1024
    event: int = 64 * 1024
    input: int = 1024 * 1024


@dataclass(frozen=True)
class Order:
    """One activation that the worker wants executed."""

    activation: str
    run_id: str
    number: int
    agent: str
    input: str
    user_id: str | None
    metadata: dict[str, str]
    limits: Limits
    approval_strategy: str = "NONE"
    clock: float = 0.0
    """Seconds on the run's clock at which the worker wrote the order."""
    park_after: float = 10.0
    """Seconds of rest after which a run is parked although its code does more than wait for the run."""
    looks: bool = False
    """Whether the worker answers a `look`, so that a run does not park for an outcome that exists already."""

    @classmethod
    def from_frame(cls, frame: Frame) -> Order:
        """Read an `activate` frame."""
        limits = frame["limits"]
        return cls(
            activation=frame["activation"],
            run_id=frame["runId"],
            number=frame["number"],
            agent=frame["agent"],
            input=frame["input"],
            user_id=frame["userId"],
            metadata=dict(frame["metadata"]),
            limits=Limits(limits["value"], limits["result"], limits["event"], limits.get("input", 1024 * 1024)),
            approval_strategy=frame.get("approvalStrategy", "NONE"),
            clock=(frame.get("clockMs") or 0.0) / 1000,
            park_after=frame.get("parkAfterMs", 10_000) / 1000,
            looks=bool(frame.get("looks")),
        )
