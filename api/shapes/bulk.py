"""Bulk operations: actions on many runs, and their progress."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.scalars import Id, Moment

BulkAction = Literal["cancel", "pause", "resume", "retry"]


class BulkBody(TypedDict):
    """An action on many runs."""

    bulkId: Annotated[Id | None, Field(description="Null if the runs were only counted.")]
    action: BulkAction
    dryRun: bool
    filter: dict[str, Any]
    matched: Annotated[int, Field(description="Runs to which the action applied at the time of the call.")]
    countedAll: Annotated[
        bool,
        Field(
            description="False: there were more candidates than one call reads; `matched` counts those found so far."
        ),
    ]
    done: int
    skipped: Annotated[int, Field(description="Runs to which it no longer applied when their turn came.")]
    failed: Annotated[int, Field(description="Runs for which the server failed; see its log.")]
    by: Annotated[str, Field(description="Name of the key that requested it.")]
    createdAt: Moment | None
    finishedAt: Annotated[Moment | None, Field(description="Null while it is in progress.")]
