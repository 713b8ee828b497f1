"""Request bodies of the calls under /v1/runs, with the fields that this version accepts."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.http.fields import (
    WHOLE,
    ActiveTime,
    ConcurrencyKey,
    Grace,
    Input,
    Metadata,
    Moment,
    Name,
    QueueTime,
    Tags,
    Text,
)
from api.http.openapi_narrowing import not_both, only_with
from api.http.parsing import Body

# Documented fields that this version does not support.
LATER = frozenset({"callbackUrl"})


class ScheduledRunBody(Body):
    """A run as a schedule creates it at each firing: without a start time of its own."""

    model_config = ConfigDict(json_schema_extra=only_with("onConflict", "concurrencyKey"))

    agent: Annotated[Name, Field(description="The agent that executes the run.", examples=["license_audit"])]
    input: Annotated[Input, Field(description="Must fit the agent's input schema.")] = Field(default_factory=dict)
    userId: Annotated[Text, Field(max_length=255)] | None = None  # noqa: N815  as the API spells it
    queue: Annotated[Name, Field(description="Default: the agent's own.")] | None = None
    priority: Annotated[int, Field(ge=-100, le=100, description="Higher first; default 0."), WHOLE] | None = None
    window: Annotated[Name, Field(description="The run executes only while this window is open.")] | None = None
    timeout: (
        Annotated[ActiveTime, Field(description="Active time: seconds or ISO 8601. Default: the agent's own, or PT1H.")]
        | None
    ) = None
    expiresIn: Annotated[  # noqa: N815  as the API spells it
        QueueTime | None,
        Field(
            description="How long the run may stay QUEUED after its acceptance: seconds or ISO 8601, 100 years at most. A run "
            "that has not started by then ends FAILED with reason `expired`. Default: no limit."
        ),
    ] = None
    concurrencyKey: Annotated[  # noqa: N815  as the API spells it
        ConcurrencyKey | None,
        Field(
            description="At most `keyLimit` (set on the queue; default 1) runs of one tenant, queue and key execute at the same "
            "time. A run takes its place before it is promoted. It releases it when it ends or parks; with the queue's "
            "`holdKeys`, only when it ends."
        ),
    ] = None
    onConflict: Annotated[  # noqa: N815  as the API spells it
        Literal["queue", "skip", "cancel_running"] | None,
        Field(
            description="What happens when no place of the `concurrencyKey` is free. `queue` (default): the run waits. `skip`: "
            "it ends CANCELED with reason `skipped`. `cancel_running`: earlier runs with the key that execute or wait for a "
            "place are canceled with reason `superseded`, and the newest takes the place. Needs `concurrencyKey`."
        ),
    ] = None
    approvalStrategy: Annotated[  # noqa: N815  as the API spells it
        Literal["NONE", "ON_START", "ON_TOOL_CALL"] | None,
        Field(description="Whether people approve the run before it starts, or each tool call; default NONE."),
    ] = None
    metadata: Metadata | None = None
    tags: Tags | None = None


class NewRunBody(ScheduledRunBody):
    """A request to create one run."""

    notBefore: Annotated[  # noqa: N815  as the API spells it
        Moment | None,
        Field(
            description="The earliest moment at which the run starts: RFC 3339 with an offset.",
            examples=["2030-03-01T06:00:00Z"],
        ),
    ] = None


class BatchBody(Body):
    """A request to create several runs, all or none."""

    # Each is parsed separately as a NewRunBody, so that errors name its index.
    runs: Annotated[
        list[dict[str, Any]], Field(min_length=1, json_schema_extra={"items": NewRunBody.model_json_schema()})
    ]


class PauseRequest(Body):
    """The reason for a pause."""

    reason: Annotated[Text, Field(max_length=500, description="Shown to people; stored in the event.")] | None = None


class SignalBody(Body):
    """The content of a signal."""

    payload: Annotated[Any, Field(description="Any JSON value; null if left out.")] = None
    id: Annotated[Text, Field(max_length=255, description="Signals with the same id count once.")] | None = None


class RetryBody(Body):
    """The step from which to retry, or another input."""

    model_config = ConfigDict(json_schema_extra=not_both("fromStep", "input"))

    fromStep: Annotated[  # noqa: N815  as the API spells it
        Text | None,
        Field(min_length=1, max_length=500, description="Key or name of the first step that executes again."),
    ] = None
    input: Annotated[Input | None, Field(description="Another input: the new run then keeps no recorded steps.")] = None


class CancelBody(Body):
    """Options of a cancel."""

    reason: Annotated[Text, Field(max_length=500, description="Shown to people; stored in the `end` event.")] | None = (
        None
    )
    grace: (
        Annotated[
            Grace, Field(description="Time for the run's code to end by itself: seconds or ISO 8601, at most an hour.")
        ]
        | None
    ) = None
