"""Why a call was refused."""

from typing import NotRequired

from typing_extensions import TypedDict


class FieldProblem(TypedDict):
    """What is wrong with one field."""

    field: str
    detail: str


class ProblemDocument(TypedDict):
    """Why a call was refused (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: NotRequired[list[FieldProblem]]
