"""Calls for what people authorize, blocking: OAuth providers and their grants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from taxiway.client import calls, operations, pages
from taxiway.client.connection import Connection
from taxiway.client.options import ProviderOptions
from taxiway.client.views import Json


class GrantCalls(Connection):
    """Calls of the client on OAuth providers and grants."""

    def providers(self) -> list[Json]:
        """List the OAuth providers, without their client secrets."""
        return self.send(calls.listing("/v1/providers", "providers"))

    def provider(self, name: str) -> Json:
        """Fetch an OAuth provider, without its client secret."""
        return self.send(operations.provider(name))

    def put_provider(self, name: str, **options: Unpack[ProviderOptions]) -> Json:
        """Create or replace an OAuth provider; needs `authorize_url`, `token_url` and `client_id`.

        A missing client secret stays as it is, None removes it. A call that changes the token or revocation address,
        the client or `client_auth` must pass the secret again. ProviderOptions documents each option. The answer's
        `callbackUrl` is the address to register at the provider.
        """
        return self.send(operations.put_provider(name, options))

    def delete_provider(self, name: str) -> None:
        """Delete an OAuth provider; its grants are used again once the same provider is created again."""
        self.send(operations.delete_provider(name))

    def grants(
        self, *, provider: str | None = None, subject: str | None = None, limit: int | None = None
    ) -> Iterator[Json]:
        """Iterate over the grants of this tenant, newest first, revoked ones included."""
        return self._walk(pages.grants(provider, subject, limit))

    def revoke_grant(self, grant_id: str) -> None:
        """Revoke a grant here and, if its provider can be reached, there too."""
        self.send(operations.revoke_grant(grant_id))
