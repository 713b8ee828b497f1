"""Calls for what people authorize, awaited: OAuth providers and their grants."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from taxiway.client import calls, operations, pages
from taxiway.client.aio_connection import AsyncConnection
from taxiway.client.options import ProviderOptions
from taxiway.client.views import Json


class AsyncGrantCalls(AsyncConnection):
    """Calls of the asyncio client on OAuth providers and grants."""

    async def providers(self) -> list[Json]:
        """List the OAuth providers, without their client secrets."""
        return await self.send(calls.listing("/v1/providers", "providers"))

    async def provider(self, name: str) -> Json:
        """Fetch an OAuth provider, without its client secret."""
        return await self.send(operations.provider(name))

    async def put_provider(self, name: str, **options: Unpack[ProviderOptions]) -> Json:
        """Create or replace an OAuth provider; needs `authorize_url`, `token_url` and `client_id`.

        A missing client secret stays as it is, None removes it. A call that changes the token or revocation address,
        the client or `client_auth` must pass the secret again. ProviderOptions documents each option. The answer's
        `callbackUrl` is the address to register at the provider.
        """
        return await self.send(operations.put_provider(name, options))

    async def delete_provider(self, name: str) -> None:
        """Delete an OAuth provider; its grants are used again once the same provider is created again."""
        await self.send(operations.delete_provider(name))

    def grants(
        self, *, provider: str | None = None, subject: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Json]:
        """Iterate over the grants of this tenant, newest first, revoked ones included."""
        return self._walk(pages.grants(provider, subject, limit))

    async def revoke_grant(self, grant_id: str) -> None:
        """Revoke a grant here and, if its provider can be reached, there too."""
        await self.send(operations.revoke_grant(grant_id))
