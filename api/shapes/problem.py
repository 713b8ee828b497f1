"""Problem documents: the reason for a refusal."""

from typing import NotRequired

from typing_extensions import TypedDict


class FieldProblem(TypedDict):
    """A problem of one field."""

    field: str
    detail: str


class ProblemDocument(TypedDict):
    """The reason for a refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: NotRequired[list[FieldProblem]]
