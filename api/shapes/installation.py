"""API keys, and the health of the process."""

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
    """A new key."""

    key: Annotated[str, Field(description="The secret, shown only in this answer.")]


class KeyList(TypedDict):
    """The tenant's keys."""

    keys: list[KeyBody]


class Health(TypedDict):
    """The process is alive."""

    status: Literal["alive"]


class Readiness(TypedDict):
    """The process can work."""

    status: Literal["ready"]
    database: Literal["there"]
    redis: Annotated[Literal["there", "away"], Field(description="`away` costs latency only.")]
