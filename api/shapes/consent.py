"""Authorizations, the providers that give them, and what was granted."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.scalars import Id, Moment, RunStatus


class AuthorizationBody(TypedDict):
    """What a person is asked to authorize, and what came of it."""

    waitId: Id
    runId: Id
    runStatus: RunStatus
    agent: str
    provider: str
    subject: Annotated[str, Field(description="Whose authorization it is.")]
    scopes: list[str]
    missingScopes: Annotated[list[str], Field(description="What the provider did not give; the run waits for it.")]
    openedAt: Moment | None
    expiresAt: Moment | None
    outcome: Annotated[str | None, Field(description="Null while the run waits.")]


class ProviderBody(TypedDict):
    """An OAuth 2 provider, without its client secret."""

    name: str
    authorizeUrl: str
    tokenUrl: str
    revocationUrl: str | None
    clientId: str
    clientAuth: Annotated[
        Literal["basic", "post", "none"], Field(description="How the client secret is sent; none without one.")
    ]
    scopes: Annotated[list[str], Field(description="Asked for with every authorization.")]
    parameters: Annotated[dict[str, str], Field(description="Added to the address where people authorize.")]
    issuer: Annotated[str | None, Field(description="What it says of itself when it sends people back (RFC 9207).")]
    callback: Annotated[Literal["own", "shared"], Field(description="Its own address of return, or the one of before.")]
    callbackUrl: Annotated[str, Field(description="The address of return: register it at the provider.")]
    createdAt: Moment | None
    updatedAt: Moment | None


class ProviderList(TypedDict):
    """The providers."""

    providers: list[ProviderBody]


class GrantBody(TypedDict):
    """What somebody authorized; its tokens are shown to nobody."""

    id: Id
    provider: str
    subject: str
    scopes: list[str]
    refreshable: Annotated[bool, Field(description="Whether its token is renewed without a person.")]
    expiresAt: Annotated[Moment | None, Field(description="Of the present token.")]
    createdAt: Moment | None
    refreshedAt: Annotated[Moment | None, Field(description="When its token was last given or renewed.")]
    revokedAt: Moment | None


class GrantPage(TypedDict):
    """A page of the tenant's grants, newest first."""

    grants: list[GrantBody]
    nextCursor: str | None
