"""Authorization server of the loopback provider, built on Authlib: codes with PKCE, rotating refresh tokens, revocation.

Tests may change its `Conduct`: lifetime of tokens, granted scopes, rotation of refresh tokens.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request, grants
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from starlette.responses import JSONResponse, Response

CLIENT_ID, CLIENT_SECRET = "taxiway", "loopback-client-secret"
CODE_SECONDS = 60


@dataclass
class Conduct:
    """Behaviour of the provider; `withhold`: scopes that it never grants, `status`: answer of every token request."""

    token_seconds: int = 3600
    refresh_tokens: bool = True
    rotate: bool = True
    withhold: list[str] = field(default_factory=list)
    status: int = 0
    delay: float = 0


@dataclass
class Issued:
    """An access token with its refresh token."""

    access_token: str
    refresh_token: str | None
    user: str
    scope: str
    ends: float
    revoked: bool = False

    def check_client(self, client: "OnlyClient") -> bool:
        """Return whether it was issued to this client."""
        return client.get_client_id() == CLIENT_ID

    def get_scope(self) -> str:
        """Return its scopes."""
        return self.scope

    @property
    def valid(self) -> bool:
        """Whether the API accepts it."""
        return not self.revoked and time.time() < self.ends


@dataclass
class Code:
    """An authorization code, good for one exchange."""

    code: str
    user: str
    scope: str
    redirect_uri: str
    code_challenge: str | None
    code_challenge_method: str | None
    ends: float

    def get_redirect_uri(self) -> str:
        """Return the redirect address of its request."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return the authorized scopes."""
        return self.scope


class OnlyClient(ClientMixin):  # type: ignore[misc]  # Authlib is untyped
    """The only client of the provider; every address of this machine is a valid redirect address."""

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return scope or ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri.startswith(("http://127.0.0.1:", "http://localhost:"))

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(client_secret, CLIENT_SECRET)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002  Authlib passes it
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


class Memory:
    """Stored codes, tokens and events of the provider."""

    def __init__(self) -> None:
        self.conduct = Conduct()
        self.codes: dict[str, Code] = {}
        self.tokens: list[Issued] = []
        self.secrets: list[str] = []
        self.calls: dict[str, int] = {"authorization_code": 0, "refresh_token": 0, "revoked": 0}

    def by_access(self, token: str) -> Issued | None:
        """Find a token by its access token."""
        return next((issued for issued in self.tokens if issued.access_token == token), None)

    def by_refresh(self, token: str) -> Issued | None:
        """Find a token by its refresh token."""
        return next((issued for issued in self.tokens if issued.refresh_token == token), None)


class Asked(OAuth2Request):  # type: ignore[misc]  # as above
    """A request in the form of Authlib."""

    def __init__(self, method: str, uri: str, headers: Mapping[str, str], data: dict[str, str]) -> None:
        super().__init__(method, uri, headers=headers)
        self.payload = BasicOAuth2Payload(data)

    @property
    def args(self) -> dict[str, str]:
        return {} if self.method == "POST" else self.payload.data

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data if self.method == "POST" else {}


class Provider(AuthorizationServer):  # type: ignore[misc]  # as above
    """The authorization server."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory
        self.register_token_generator("default", self._generate)
        self.register_grant(_code_grant(memory), [CodeChallenge(required=True)])
        self.register_grant(_refresh_grant(memory))
        self.register_endpoint(_revocation(memory))

    def query_client(self, client_id: str) -> OnlyClient | None:
        return OnlyClient() if client_id == CLIENT_ID else None

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        ends = time.time() + token["expires_in"]
        self.memory.tokens.append(
            Issued(token["access_token"], token.get("refresh_token"), request.user, token["scope"], ends)
        )

    def create_oauth2_request(self, request: Any) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        made = JSONResponse(body, status) if isinstance(body, dict) else Response(body or "", status)
        for name, value in headers:
            made.headers[name] = value
        return made

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Ignore signals: there are no listeners."""

    def _generate(self, *, scope: str, include_refresh_token: bool = True, **_: Any) -> dict[str, Any]:
        conduct = self.memory.conduct
        given = " ".join(word for word in (scope or "").split() if word not in conduct.withhold)
        token = {"token_type": "Bearer", "access_token": f"at-{secrets.token_urlsafe(24)}", "scope": given}
        if include_refresh_token and conduct.refresh_tokens:
            token["refresh_token"] = f"rt-{secrets.token_urlsafe(24)}"
        self.memory.secrets += [value for name, value in token.items() if name.endswith("_token")]
        return {**token, "expires_in": conduct.token_seconds}


def _code_grant(memory: Memory) -> type:
    class CodeGrant(grants.AuthorizationCodeGrant):  # type: ignore[misc]  # as above
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

        def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
            data = request.payload.data
            memory.secrets.append(code)
            memory.codes[code] = Code(
                code,
                request.user,
                request.payload.scope or "",
                request.payload.redirect_uri,
                data.get("code_challenge"),
                data.get("code_challenge_method"),
                time.time() + CODE_SECONDS,
            )

        def query_authorization_code(self, code: str, client: OnlyClient) -> Code | None:  # noqa: ARG002  as above
            found = memory.codes.get(code)
            return found if found is not None and time.time() < found.ends else None

        def delete_authorization_code(self, authorization_code: Code) -> None:
            memory.codes.pop(authorization_code.code, None)

        def authenticate_user(self, authorization_code: Code) -> str:
            memory.calls["authorization_code"] += 1
            return authorization_code.user

    return CodeGrant


def _refresh_grant(memory: Memory) -> type:
    class RefreshGrant(grants.RefreshTokenGrant):  # type: ignore[misc]  # as above
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

        @property
        def INCLUDE_NEW_REFRESH_TOKEN(self) -> bool:  # noqa: N802  Authlib's name
            return memory.conduct.rotate

        def authenticate_refresh_token(self, refresh_token: str) -> Issued | None:
            found = memory.by_refresh(refresh_token)
            return found if found is not None and not found.revoked else None

        def authenticate_user(self, credential: Issued) -> str:
            memory.calls["refresh_token"] += 1
            return credential.user

        def revoke_old_credential(self, credential: Issued) -> None:
            """A rotating refresh token is valid once; its access token stays valid."""
            if memory.conduct.rotate:
                credential.refresh_token = None

    return RefreshGrant


def _revocation(memory: Memory) -> type:
    class Revocation(RevocationEndpoint):  # type: ignore[misc]  # as above
        CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

        def query_token(self, token_string: str, token_type_hint: str | None) -> Issued | None:  # noqa: ARG002  as above
            return memory.by_access(token_string) or memory.by_refresh(token_string)

        def revoke_token(self, token: Issued, request: OAuth2Request) -> None:  # noqa: ARG002  as above
            memory.calls["revoked"] += 1
            token.revoked = True

    return Revocation
