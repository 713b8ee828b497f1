"""When runs may go on, and when they are made: windows and schedules."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.scalars import Id, Moment


class PeriodBody(TypedDict):
    """A time in which a window is open, or a blackout closed."""

    begins: Moment | None
    ends: Annotated[Moment | None, Field(description="Null: further away than was looked.")]


class OverrideBody(TypedDict):
    """What holds a window open or closed for a time, whatever its timetable says."""

    state: Literal["open", "closed"]
    until: Moment | None
    by: str | None
    reason: str | None


class WindowSummary(TypedDict):
    """A recurring time in which runs may, or with kind `blackout` may not, go."""

    name: str
    cron: str
    duration: Annotated[str, Field(description="ISO 8601, elapsed time.")]
    timezone: str
    kind: Literal["window", "blackout"]
    onClose: Literal["finish", "pause"]
    open: Annotated[bool, Field(description="Whether runs may go now, by its override or its timetable.")]
    until: Annotated[Moment | None, Field(description="Until when that holds; null: further away than was looked.")]
    override: OverrideBody | None


class WindowList(TypedDict):
    """All windows, by name."""

    windows: list[WindowSummary]


class WindowChangeBody(TypedDict):
    """What somebody did to a window."""

    at: Moment | None
    by: str
    change: Literal["put", "deleted", "override", "override_ended"]
    data: dict[str, Any] | None


class WindowBody(WindowSummary):
    """A window with its next periods."""

    next: Annotated[list[PeriodBody], Field(description="By its timetable: the period of now, if any, and later ones.")]
    queues: Annotated[list[str], Field(description="Queues whose runs it gates.")]
    agents: Annotated[list[str], Field(description="Agents whose runs it gates.")]
    changes: Annotated[list[WindowChangeBody], Field(description="The newest 20, newest first.")]


class FiringBody(TypedDict):
    """What a schedule's firing came to."""

    at: Annotated[Moment | None, Field(description="The time that it was for.")]
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
    nextAt: Annotated[Moment | None, Field(description="When it fires next; null while it is paused.")]
    lastAt: Annotated[Moment | None, Field(description="The time that it last fired for.")]
    openRuns: Annotated[int, Field(description="Its runs that had not ended when it last fired.")]


class ScheduleList(TypedDict):
    """The tenant's schedules, by name."""

    schedules: list[ScheduleSummary]


class ScheduleBody(ScheduleSummary):
    """A schedule with what it enqueues, its next times and its newest firings."""

    run: Annotated[dict[str, Any], Field(description="As POST /v1/runs takes it.")]
    next: list[Moment | None]
    firings: Annotated[list[FiringBody], Field(description="The newest 20, newest first.")]
