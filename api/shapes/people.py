"""Questions for people, and their outcomes."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.scalars import Id, Moment, RunStatus


class WaitBody(TypedDict):
    """A wait of a run, parked or executing."""

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
    reason: NotRequired[Annotated[str, Field(description="The agent's reason for its pause.")]]
    message: NotRequired[Annotated[str, Field(description="Where and how its code does not match what it recorded.")]]
    childRunId: NotRequired[Annotated[Id, Field(description="The child of the wait.")]]
    agent: NotRequired[Annotated[str, Field(description="The child's agent.")]]
    approvalUrl: NotRequired[Annotated[str, Field(description="The link, for callers that may have it.")]]
    authUrl: NotRequired[Annotated[str, Field(description="The link, for callers that may have it.")]]


class OutcomeBody(TypedDict):
    """Outcome of a question."""

    outcome: Annotated[
        Literal["approved", "denied", "answered", "expired", "timeout", "withdrawn"],
        Field(description="`withdrawn`: the run ended, or its agent withdrew the question."),
    ]
    choice: str | None
    answer: Any
    by: Annotated[str | None, Field(description="The name of a key, or `link`; null if nobody decided.")]
    comment: str | None
    at: Moment | None


class ApprovalBody(TypedDict):
    """A question for people, and its outcome."""

    waitId: Id
    runId: Id
    runStatus: RunStatus
    agent: str
    prompt: str
    details: Annotated[Any, Field(description="The subject of the decision: any JSON value.")]
    inputOmitted: NotRequired[
        Annotated[bool, Field(description="The details omit the input because it exceeds 64 KiB.")]
    ]
    choices: Annotated[list[str] | None, Field(description="Ways to approve; the decision names one.")]
    answer: Annotated[Any, Field(description="The JSON Schema of the answer; null for an approval.")]
    approvers: Annotated[list[str] | None, Field(description="A key that decides needs one of these roles.")]
    step: Annotated[dict[str, str] | None, Field(description="The tool call that needs the approval.")]
    openedAt: Moment | None
    expiresAt: Moment | None
    digest: Annotated[
        str | None, Field(description="Digest of exactly what is shown; the event of the decision has it too.")
    ]
    approvalUrl: Annotated[str | None, Field(description="The link, for callers that may have it.")]
    outcome: Annotated[OutcomeBody | None, Field(description="Null while the question is open.")]


class ApprovalPage(TypedDict):
    """A page of approvals, newest first."""

    approvals: list[ApprovalBody]
    nextCursor: str | None
