"""What people authorize, as calls of the asyncio client: OAuth providers, and the grants that came of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping

from taxiway.client import calls, operations, pages
from taxiway.client.aio_connection import AsyncConnection
from taxiway.client.views import Json


class AsyncGrantCalls(AsyncConnection):
    """The part of a client that introduces providers, and shows and revokes grants; see Authorizing."""

    async def providers(self) -> list[Json]:
        """List the OAuth providers, never their client secrets."""
        return await self.send(calls.listing("/v1/providers", "providers"))

    async def provider(self, name: str) -> Json:
        """Show an OAuth provider, never its client secret."""
        return await self.send(operations.provider(name))

    async def put_provider(
        self,
        name: str,
        *,
        authorize_url: str,
        token_url: str,
        client_id: str,
        client_secret: str | None = operations.KEEP,
        client_auth: str = "basic",
        revocation_url: str | None = None,
        scopes: Iterable[str] = (),
        parameters: Mapping[str, str] | None = None,
        issuer: str | None = None,
        callback: str | None = None,
    ) -> Json:
        """Introduce an OAuth provider, or change it. A client secret that is not given stays as it is; None takes it away.

        A call that changes the token or revocation address, the client or its way to prove itself must give the secret again.
        `scopes` are asked for with every authorization, `parameters` added to the address where people authorize. With an
        `issuer`, answers that do not name it are refused (RFC 9207). `callback` is "own" or "shared", and stays when left out:
        the answer's `callbackUrl` is the address to register.
        """
        return await self.send(
            operations.put_provider(
                name, authorize_url=authorize_url, token_url=token_url, client_id=client_id, client_secret=client_secret,
                client_auth=client_auth, revocation_url=revocation_url, scopes=scopes, parameters=parameters,
                issuer=issuer, callback=callback,
            )
        )  # fmt: skip

    async def delete_provider(self, name: str) -> None:
        """Forget an OAuth provider; grants that it gave are used again once the same provider is back."""
        await self.send(operations.delete_provider(name))

    def grants(
        self, *, provider: str | None = None, subject: str | None = None, limit: int | None = None
    ) -> AsyncIterator[Json]:
        """Iterate over what people have authorized in this tenant, newest first, revoked ones too."""
        return self._walk(pages.grants(provider, subject, limit))

    async def revoke_grant(self, grant_id: str) -> None:
        """Revoke a grant here and, where it can be reached, at its provider."""
        await self.send(operations.revoke_grant(grant_id))
