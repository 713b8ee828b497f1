"""Windows and schedules."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.scalars import Id, Moment


class PeriodBody(TypedDict):
    """A period in which a window is open, or a blackout closed."""

    begins: Moment | None
    ends: Annotated[Moment | None, Field(description="Null: beyond the searched time.")]


class OverrideBody(TypedDict):
    """An override: holds a window open or closed for a time, regardless of its timetable."""

    state: Literal["open", "closed"]
    until: Moment | None
    by: str | None
    reason: str | None


class WindowSummary(TypedDict):
    """A recurring time in which runs may start or resume; with kind `blackout`, in which they may not."""

    name: str
    cron: str
    duration: Annotated[str, Field(description="ISO 8601, elapsed time.")]
    timezone: str
    kind: Literal["window", "blackout"]
    onClose: Literal["finish", "pause"]
    open: Annotated[bool, Field(description="Whether runs may start or resume now, by its override or its timetable.")]
    until: Annotated[Moment | None, Field(description="Until when this holds; null: beyond the searched time.")]
    override: OverrideBody | None


class WindowList(TypedDict):
    """All windows, by name."""

    windows: list[WindowSummary]


class WindowChangeBody(TypedDict):
    """A change of a window."""

    at: Moment | None
    by: str
    change: Literal["put", "deleted", "override", "override_ended"]
    data: dict[str, Any] | None


class WindowBody(WindowSummary):
    """A window with its next periods."""

    next: Annotated[
        list[PeriodBody], Field(description="Periods by its timetable: the present one, if any, and later ones.")
    ]
    queues: Annotated[list[str], Field(description="Queues whose runs it gates.")]
    agents: Annotated[list[str], Field(description="Agents whose runs it gates.")]
    changes: Annotated[list[WindowChangeBody], Field(description="The newest 20, newest first.")]


class FiringBody(TypedDict):
    """A firing of a schedule, and its outcome."""

    at: Annotated[Moment | None, Field(description="The scheduled time.")]
    outcome: Literal["fired", "skipped", "by_hand"]
    runId: Id | None


class ScheduleSummary(TypedDict):
    """A recurring run."""

    name: str
    cron: str
    timezone: str
    overlap: Literal["skip", "queue"]
    catchUp: Literal["none", "last"]
    paused: bool
    agent: str
    nextAt: Annotated[Moment | None, Field(description="Next firing; null while it is paused.")]
    lastAt: Annotated[Moment | None, Field(description="Scheduled time of the last firing.")]
    openRuns: Annotated[int, Field(description="Number of its runs that had not ended at the last firing.")]


class ScheduleList(TypedDict):
    """The tenant's schedules, by name."""

    schedules: list[ScheduleSummary]


class ScheduleBody(ScheduleSummary):
    """A schedule with the run that it enqueues, its next times and its newest firings."""

    run: Annotated[dict[str, Any], Field(description="The body of POST /v1/runs.")]
    next: list[Moment | None]
    firings: Annotated[list[FiringBody], Field(description="The newest 20, newest first.")]
