"""What is done to many runs at once, and how far it has come."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.scalars import Id, Moment

BulkAction = Literal["cancel", "pause", "resume", "retry"]


class BulkBody(TypedDict):
    """An action on many runs."""

    bulkId: Annotated[Id | None, Field(description="Null when the runs were only counted.")]
    action: BulkAction
    dryRun: bool
    filter: dict[str, Any]
    matched: Annotated[int, Field(description="Runs to which the action applied at the time of the call.")]
    countedAll: Annotated[
        bool,
        Field(
            description="False: more runs came into question than a call looks at; `matched` are those found so far."
        ),
    ]
    done: int
    skipped: Annotated[int, Field(description="Runs to which it applied no more when their turn came.")]
    failed: Annotated[int, Field(description="Runs on which the server failed; its log says how.")]
    by: Annotated[str, Field(description="Name of the key that asked for it.")]
    createdAt: Moment | None
    finishedAt: Annotated[Moment | None, Field(description="Null while it is under way.")]
