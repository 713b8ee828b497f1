"""The bodies of the calls under /v1/runs: which fields this version takes."""

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

# Documented fields whose behaviour this version does not have.
LATER = frozenset({"callbackUrl"})


class ScheduledRunBody(Body):
    """What a schedule makes at each of its times: a run that says nothing of the time itself."""

    model_config = ConfigDict(json_schema_extra=only_with("onConflict", "concurrencyKey"))

    agent: Annotated[Name, Field(description="Who does it.", examples=["license_audit"])]
    input: Annotated[Input, Field(description="Fits the agent's input schema.")] = Field(default_factory=dict)
    userId: Annotated[Text, Field(max_length=255)] | None = None  # noqa: N815  as the API spells it
    queue: Annotated[Name, Field(description="Default: the agent's own.")] | None = None
    priority: Annotated[int, Field(ge=-100, le=100, description="Higher first; default 0."), WHOLE] | None = None
    window: Annotated[Name, Field(description="It goes on only while this window is open.")] | None = None
    timeout: Annotated[
        ActiveTime, Field(description="Active time: seconds or ISO 8601. Default: the agent's own, or PT1H.")
    ] | None = None  # fmt: skip
    expiresIn: Annotated[  # noqa: N815  as the API spells it
        QueueTime | None,
        Field(
            description="How long it may stay QUEUED, counted from its acceptance: seconds or ISO 8601, 100 years at most. A run "
            "that has not begun by then ends FAILED with reason `expired`. Default: for ever."
        ),
    ] = None
    concurrencyKey: Annotated[  # noqa: N815  as the API spells it
        ConcurrencyKey | None,
        Field(
            description="At most `keyLimit` (of the queue; default 1) runs of one tenant, queue and key execute at once. A run "
            "takes its place before it is promoted and gives it up when it ends or parks; where the queue says `holdKeys`, "
            "only when it ends."
        ),
    ] = None
    onConflict: Annotated[  # noqa: N815  as the API spells it
        Literal["queue", "skip", "cancel_running"] | None,
        Field(
            description="What happens when no place of its `concurrencyKey` is free. `queue` (default): it waits. `skip`: it "
            "ends CANCELED with reason `skipped`. `cancel_running`: earlier runs with the key that execute or wait for a "
            "place are canceled with reason `superseded`, so that the newest goes. Only together with `concurrencyKey`."
        ),
    ] = None
    approvalStrategy: Annotated[  # noqa: N815  as the API spells it
        Literal["NONE", "ON_START", "ON_TOOL_CALL"] | None,
        Field(description="Whether people approve the run before it begins, or each call of a tool; default NONE."),
    ] = None
    metadata: Metadata | None = None
    tags: Tags | None = None


class NewRunBody(ScheduledRunBody):
    """A request to make one run."""

    notBefore: Annotated[  # noqa: N815  as the API spells it
        Moment | None,
        Field(
            description="It begins at this moment at the earliest: RFC 3339 with an offset.",
            examples=["2030-03-01T06:00:00Z"],
        ),
    ] = None


class BatchBody(Body):
    """A request to make several runs, all or none."""

    # Each is read as a NewRunBody of its own, so that what is wrong with it can be named by its place.
    runs: Annotated[
        list[dict[str, Any]], Field(min_length=1, json_schema_extra={"items": NewRunBody.model_json_schema()})
    ]


class PauseRequest(Body):
    """Why to pause."""

    reason: Annotated[Text, Field(max_length=500, description="For people; the event keeps it.")] | None = None


class SignalBody(Body):
    """What a signal carries."""

    payload: Annotated[Any, Field(description="Any JSON value; null when left out.")] = None
    id: (
        Annotated[Text, Field(max_length=255, description="Sent again with the same id, a signal counts once.")] | None
    ) = None


class RetryBody(Body):
    """From where to try again, or with what."""

    model_config = ConfigDict(json_schema_extra=not_both("fromStep", "input"))

    fromStep: Annotated[  # noqa: N815  as the API spells it
        Text | None, Field(min_length=1, max_length=500, description="Key or name of the first step to execute again.")
    ] = None
    input: Annotated[Input | None, Field(description="Another input; nothing that was recorded is kept then.")] = None


class CancelBody(Body):
    """How to cancel."""

    reason: Annotated[Text, Field(max_length=500, description="For people; the `end` event keeps it.")] | None = None
    grace: Annotated[
        Grace, Field(description="Time that the run's code gets to end by itself: seconds or ISO 8601, at most an hour.")
    ] | None = None  # fmt: skip
