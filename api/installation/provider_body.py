"""Body of a provider, with checks of its addresses: https, and private ones only if the settings allow them."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from api.http.fields import Text, schema_keywords
from api.http.parsing import Body
from models.authorization.reach import SETTING, is_named_private
from models.runtime.settings import settings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OURS = frozenset(
    {
        "client_id",
        "client_secret",
        "redirect_uri",
        "request",
        "request_uri",
        "response_type",
        "scope",
        "state",
        "code_challenge",
        "code_challenge_method",
    }
)


def _address(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, plain = parts.hostname or "", parts.scheme == "http" and parts.hostname in _LOOPBACK
    except ValueError:
        raise ValueError("must be an https address") from None
    if plain and not settings().private_providers:
        raise ValueError(f"must be an https address ({SETTING} allows http on loopback)")
    if parts.scheme != "https" and not plain:
        raise ValueError("must be an https address without user and fragment")
    if not host or parts.fragment or parts.username is not None or any(ord(sign) <= 32 for sign in value):
        raise ValueError("must be an https address without user and fragment")
    return value


def _called(value: str) -> str:
    host = urlsplit(_address(value)).hostname or ""
    if is_named_private(host) and not settings().private_providers:
        raise ValueError(f"must not be a private address; only {SETTING} allows it")
    return value


def _without_query(value: str) -> str:
    if "?" in value:
        raise ValueError("must not have a query: put fixed parameters into `parameters`")
    return _address(value)


def _no_more(value: dict[str, str]) -> dict[str, str]:
    if taken := sorted(_OURS & value.keys()):
        raise ValueError(f"must not contain {', '.join(taken)}, which are set for each authorization")
    return value


_AN_ADDRESS = r"^https://[A-Za-z0-9.-]+(:[0-9]{1,4})?(/[^\u0000-\u0020#]*)?$"
_WITHOUT_QUERY = _AN_ADDRESS.replace("#]", "#?]")
_A_SCOPE = r"^[\x21\x23-\x5b\x5d-\x7e]{1,200}$"
Visited = Annotated[
    Text, Field(max_length=2000), AfterValidator(_without_query), schema_keywords(pattern=_WITHOUT_QUERY)
]
Called = Annotated[Text, Field(max_length=2000), AfterValidator(_called), schema_keywords(pattern=_AN_ADDRESS)]
Scope = Annotated[Text, Field(pattern=_A_SCOPE), schema_keywords(pattern=_A_SCOPE)]
Short = Annotated[Text, Field(min_length=1, max_length=2000)]


def _issuer(value: str) -> str:
    if "?" in value:
        raise ValueError("must be an https address without parameters (RFC 9207)")
    return _address(value)


class NewProviderBody(Body):
    """Configuration of a provider."""

    authorizeUrl: Annotated[Visited, Field(description="Address where people authorize, without a query.")]  # noqa: N815  as the API spells it
    tokenUrl: Annotated[Called, Field(description="Address where codes and refresh tokens are exchanged.")]  # noqa: N815
    revocationUrl: Annotated[Called | None, Field(description="RFC 7009; called when a grant is revoked.")] = None  # noqa: N815
    issuer: Annotated[
        Annotated[Text, Field(max_length=2000), AfterValidator(_issuer), schema_keywords(pattern=_WITHOUT_QUERY)]
        | None,
        Field(description="RFC 9207: the `iss` that it must send when people return; null: not checked."),
    ] = None
    callback: Annotated[
        Literal["own", "shared"] | None,
        Field(
            description="Callback address: its own, or the one shared by older providers. Omitted: kept; `own` for a new one."
        ),
    ] = None
    clientId: Annotated[Short, Field(description="The client id under which this installation is registered.")]  # noqa: N815
    clientSecret: Annotated[Short | None, Field(description="Omitted: kept if its use is the same; null: none.")] = None  # noqa: N815
    clientAuth: Literal["basic", "post"] = "basic"  # noqa: N815
    scopes: Annotated[list[Scope], Field(max_length=100, default_factory=list)]
    parameters: Annotated[
        dict[Short, Short],
        Field(max_length=32),
        Field(default_factory=dict),
        AfterValidator(_no_more),
        schema_keywords(propertyNames={"not": {"enum": sorted(_OURS)}, "minLength": 1, "maxLength": 2000}),
    ]
