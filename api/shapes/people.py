"""What people are asked, and what they decided."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.scalars import Id, Moment, RunStatus


class WaitBody(TypedDict):
    """What a run waits for, parked or executing."""

    waitId: Id
    kind: str
    openedAt: Moment | None
    expiresAt: Moment | None
    prompt: NotRequired[str]
    choices: NotRequired[list[str]]
    answer: NotRequired[Annotated[Any, Field(description="The JSON Schema of the answer.")]]
    approvers: NotRequired[list[str]]
    step: NotRequired[dict[str, str]]
    provider: NotRequired[str]
    scopes: NotRequired[list[str]]
    subject: NotRequired[str]
    signal: NotRequired[Annotated[str, Field(description="The name of the signal.")]]
    reason: NotRequired[Annotated[str, Field(description="Why the agent paused.")]]
    message: NotRequired[
        Annotated[str, Field(description="Where, and in what, its code does not fit what it recorded.")]
    ]
    childRunId: NotRequired[Annotated[Id, Field(description="The child that it waits for.")]]
    agent: NotRequired[Annotated[str, Field(description="The child's agent.")]]
    approvalUrl: NotRequired[Annotated[str, Field(description="For callers who may have it.")]]
    authUrl: NotRequired[Annotated[str, Field(description="For callers who may have it.")]]


class OutcomeBody(TypedDict):
    """What became of a question."""

    outcome: Annotated[
        Literal["approved", "denied", "answered", "expired", "timeout", "withdrawn"],
        Field(description="`withdrawn`: the run ended, or its agent gave the question up: nobody is needed any more."),
    ]
    choice: str | None
    answer: Any
    by: Annotated[str | None, Field(description="The name of a key, or `link`; null when nobody decided.")]
    comment: str | None
    at: Moment | None


class ApprovalBody(TypedDict):
    """What people are asked, and what became of it."""

    waitId: Id
    runId: Id
    runStatus: RunStatus
    agent: str
    prompt: str
    details: Annotated[Any, Field(description="What the decision is about: any JSON value.")]
    inputOmitted: NotRequired[Annotated[bool, Field(description="The details lack an input of more than 64 KiB.")]]
    choices: Annotated[list[str] | None, Field(description="Ways to approve, of which one is to be named.")]
    answer: Annotated[Any, Field(description="The JSON Schema of the answer; null where it is approved or denied.")]
    approvers: Annotated[list[str] | None, Field(description="Roles, of which a key that decides needs one.")]
    step: Annotated[dict[str, str] | None, Field(description="The call of a tool that waits for the approval.")]
    openedAt: Moment | None
    expiresAt: Moment | None
    digest: Annotated[str | None, Field(description="Of exactly what is shown; the event of the decision has it too.")]
    approvalUrl: Annotated[str | None, Field(description="The link, for callers who may have it.")]
    outcome: Annotated[OutcomeBody | None, Field(description="Null while somebody may decide.")]


class ApprovalPage(TypedDict):
    """A page of approvals, newest first."""

    approvals: list[ApprovalBody]
    nextCursor: str | None
