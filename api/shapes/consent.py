"""Authorizations, providers and grants."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from api.shapes.scalars import Id, Moment, RunStatus


class AuthorizationBody(TypedDict):
    """An authorization that a person is asked for, and its outcome."""

    waitId: Id
    runId: Id
    runStatus: RunStatus
    agent: str
    provider: str
    subject: Annotated[str, Field(description="The holder of the grant.")]
    scopes: list[str]
    missingScopes: Annotated[
        list[str], Field(description="Scopes that the provider did not give; the run waits for them.")
    ]
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
        Literal["basic", "post", "none"], Field(description="How the client secret is sent; `none` without a secret.")
    ]
    scopes: Annotated[list[str], Field(description="Requested with every authorization.")]
    parameters: Annotated[dict[str, str], Field(description="Added to the query of `authorizeUrl`.")]
    issuer: Annotated[str | None, Field(description="The `iss` that it sends when people return (RFC 9207).")]
    callback: Annotated[
        Literal["own", "shared"], Field(description="Its own callback address, or the shared older one.")
    ]
    callbackUrl: Annotated[str, Field(description="The callback address to register at the provider.")]
    createdAt: Moment | None
    updatedAt: Moment | None


class ProviderList(TypedDict):
    """The providers."""

    providers: list[ProviderBody]


class GrantBody(TypedDict):
    """A grant that a person gave; its tokens are never shown."""

    id: Id
    provider: str
    subject: str
    scopes: list[str]
    refreshable: Annotated[bool, Field(description="Whether its token can be renewed without a person.")]
    expiresAt: Annotated[Moment | None, Field(description="Expiry of the present token.")]
    createdAt: Moment | None
    refreshedAt: Annotated[Moment | None, Field(description="Time when its token was last issued or renewed.")]
    revokedAt: Moment | None


class GrantPage(TypedDict):
    """A page of the tenant's grants, newest first."""

    grants: list[GrantBody]
    nextCursor: str | None
