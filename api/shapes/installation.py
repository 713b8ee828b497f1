"""Keys, and how the process is."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.scalars import Id, Moment


class KeyBody(TypedDict):
    """An API key, without its secret."""

    id: Id
    tenant: str
    name: str
    scopes: list[str]
    roles: list[str]
    createdAt: Moment | None
    revokedAt: Moment | None


class NewKeyAnswer(KeyBody):
    """A key that was just made."""

    key: Annotated[str, Field(description="The secret; shown only this once.")]


class KeyList(TypedDict):
    """The tenant's keys."""

    keys: list[KeyBody]


class Health(TypedDict):
    """Whether the process lives."""

    status: Literal["alive"]


class Readiness(TypedDict):
    """Whether the process can do its job."""

    status: Literal["ready"]
    database: Literal["there"]
    redis: Annotated[Literal["there", "away"], Field(description="Away costs latency, nothing else.")]
