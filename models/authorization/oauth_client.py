"""OAuth 2 with a provider, through Authlib: addresses to send people to, codes for tokens, renewals, revocations.

Every call opens its own connection, outside of any transaction that others wait for. Only a renewal holds a row, that of its
grant. Nothing that a provider answers is logged or repeated, except the names of its errors.
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from models.authorization.encryption import grant_place, provider_place, seal, unseal
from models.authorization.givers import Giver
from models.authorization.grants import Given, Holder
from models.authorization.reach import PrivateAddress
from models.errors import ProviderAway, ProviderRefused
from models.runtime.settings import settings
from models.statement import Statement

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import OAuth2Client

    from models.authorization.pinned_address import Pinned
    from models.tables.provider import Provider

T = TypeVar("T")

PATIENCE_SECONDS = 10.0
LONGEST_SECONDS = 10 * 366 * 86_400.0
_METHODS = {"basic": "client_secret_basic", "post": "client_secret_post", "none": "none"}
_ERROR = re.compile(r"[a-z0-9_.-]{1,60}", re.ASCII)
_FIND = """
    SELECT name, authorize_url, token_url, revocation_url, client_id, client_auth, sealed_secret, scopes, parameters, issuer,
        callback
    FROM provider WHERE name = %(name)s
    """


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a provider gave; `scopes` is None where it did not say."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    scopes: tuple[str, ...] | None
    expires_in: float | None

    def sealed(self, secret_key: str, holder: Holder, asked: tuple[str, ...]) -> Given:
        """Seal them for their place in the table; without a word of the provider, it gave what it was `asked` for."""
        text = json.dumps({"access": self.access, "refresh": self.refresh})
        place = grant_place(holder.tenant, holder.subject, holder.provider)
        scopes = asked if self.scopes is None else self.scopes
        return Given(seal(secret_key, text, place), scopes, self.refresh is not None, self.expires_in)


def opened(secret_key: str, holder: Holder, sealed: str) -> Tokens:
    """Read a grant's tokens; raises SealBroken."""
    kept = json.loads(unseal(secret_key, sealed, grant_place(holder.tenant, holder.subject, holder.provider)))
    return Tokens(kept["access"], kept["refresh"], None, None)


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A provider as it is configured now; the fields are those of `models.tables.provider`, which most workers never import."""

    name: str
    authorize_url: str
    token_url: str
    revocation_url: str | None
    client_id: str
    client_auth: str
    sealed_secret: str | None = field(repr=False)
    scopes: list[str]
    parameters: Any
    issuer: str | None
    callback: str

    @property
    def giver(self) -> Giver:
        """What grants of this provider are bound to."""
        return Giver(self.token_url, self.client_id, self.revocation_url)


def find(name: str) -> Statement[ProviderRow]:
    """Read a provider as it is configured now."""
    return Statement(_FIND, {"name": name}, ProviderRow)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Speaks to one provider."""

    provider: "Provider"
    secret: str | None = field(repr=False)

    @classmethod
    def of(cls, row: ProviderRow, secret_key: str) -> "Speaker":
        """Make one of a row; raises SealBroken when the client secret was stored under another key."""
        from models.tables.provider import Provider  # noqa: PLC0415 - most workers meet no provider, and else need no tables

        provider = Provider(**asdict(row))
        sealed = provider.sealed_secret
        return cls(provider, None if sealed is None else unseal(secret_key, sealed, provider_place(provider.name)))

    @property
    def giver(self) -> Giver:
        """What grants of this provider are bound to."""
        return Giver(self.provider.token_url, self.provider.client_id, self.provider.revocation_url)

    def authorization_url(self, *, redirect: str, scopes: tuple[str, ...], state: str, verifier: str) -> str:
        """Return the address at which a person authorizes; the verifier itself stays here."""
        with self._client(redirect_uri=redirect, scope=" ".join(scopes) or None) as client:
            url, _ = client.create_authorization_url(
                self.provider.authorize_url, state=state, code_verifier=verifier, **(self.provider.parameters or {})
            )
        return str(url)

    def exchange(self, *, redirect: str, code: str, verifier: str) -> Tokens:
        """Exchange a code for tokens; raises ProviderRefused or ProviderAway."""
        with self._client(redirect_uri=redirect) as client:
            return self._asked(
                lambda: client.fetch_token(
                    self.provider.token_url, grant_type="authorization_code", code=code, code_verifier=verifier
                )
            )

    def refresh(self, refresh_token: str) -> Tokens:
        """Exchange a refresh token for new tokens, which may include the next refresh token; raises like `exchange`."""
        with self._client() as client:
            return self._asked(lambda: client.refresh_token(self.provider.token_url, refresh_token=refresh_token))

    def revoke(self, token: str, hint: str) -> None:
        """Revoke a token at the provider; raises like `exchange`."""
        if self.provider.revocation_url is None:
            return
        url = self.provider.revocation_url
        with self._client() as client:
            answer = self._reached(lambda: client.revoke_token(url, token=token, token_type_hint=hint))
        if answer.status_code >= 400:
            raise ProviderRefused("revocation_refused", f"{self.provider.name} answered {answer.status_code}")

    def _client(self, **options: Any) -> "OAuth2Client":
        # Imported when first needed: most workers never speak to a provider.
        from authlib.integrations.httpx_client import OAuth2Client  # noqa: PLC0415

        from models.authorization.bounded_answer import Bounds  # noqa: PLC0415

        method = _METHODS["none" if self.secret is None else self.provider.client_auth]
        return OAuth2Client(
            self.provider.client_id,
            self.secret,
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
            code_challenge_method="S256",
            timeout=PATIENCE_SECONDS,
            follow_redirects=False,
            transport=_transport(),
            event_hooks=Bounds().hooks,
            **options,
        )

    def _asked(self, ask: Callable[[], Any]) -> Tokens:
        token = self._reached(ask)
        access = token.get("access_token")
        if not isinstance(access, str) or not access:
            raise ProviderAway(f"{self.provider.name} answered without an access token")
        refresh, scope = token.get("refresh_token"), token.get("scope")
        scopes = tuple(word for word in re.split(r"[\s,]+", scope) if word) if isinstance(scope, str) else None
        return Tokens(access, refresh if isinstance(refresh, str) else None, scopes, _seconds(token.get("expires_in")))

    def _reached(self, ask: Callable[[], T]) -> T:
        import httpx2  # noqa: PLC0415 - as above
        from authlib.integrations.base_client import OAuthError  # noqa: PLC0415
        from authlib.oauth2 import OAuth2Error  # noqa: PLC0415

        name = self.provider.name
        try:
            return ask()
        except (OAuthError, OAuth2Error) as error:
            code = error_name(error.error)
            raise ProviderRefused(code, f"{name} refused: {code}") from None
        except httpx2.HTTPStatusError as error:
            raise ProviderAway(f"{name} answered {error.response.status_code}") from None
        except PrivateAddress as error:
            raise ProviderAway(f"{name} is not called: {error}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ProviderAway(f"{name} cannot be reached ({type(error).__name__})") from None
        except (ValueError, AttributeError, TypeError):
            raise ProviderAway(f"{name} answered what is no OAuth 2; check its tokenUrl") from None


def _transport() -> "Pinned | None":
    """Return what connects to public addresses alone; None where the installation allows all, by its proxies if it has some."""
    if settings().private_providers:
        return None
    from models.authorization.pinned_address import Pinned  # noqa: PLC0415 - as above

    return Pinned()


def error_name(said: object) -> str:
    """Return the name of an OAuth error, or `unknown_error` for any other text."""
    return said if isinstance(said, str) and _ERROR.fullmatch(said) else "unknown_error"


def _seconds(value: Any) -> float | None:
    try:
        return None if value is None else max(0.0, min(float(value), LONGEST_SECONDS))
    except (TypeError, ValueError):
        return None
