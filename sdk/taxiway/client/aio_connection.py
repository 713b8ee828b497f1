"""Connection to one server with asyncio: sends a call, walks a list, opens an event stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Self, TypeVar

import httpx

from taxiway.client import answers, wire
from taxiway.client.address import find_address
from taxiway.client.backoff import Backoff
from taxiway.client.calls import Call, Request
from taxiway.client.errors import RateLimited
from taxiway.client.pages import PATIENCE, Pages

T = TypeVar("T")


class AsyncConnection:
    """The HTTP client of every call, and the only place that sends one; see AsyncClient for the arguments."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        timeout: float = wire.TIMEOUT,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.address = find_address(url, api_key)
        self._timeout = timeout
        self._http = httpx.AsyncClient(**wire.settings(self.address), transport=transport)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def send(self, call: Call[T]) -> T:
        """Send one call and read its answer."""
        try:
            response = await self._http.send(wire.build(self._http, call.request, self._timeout))
        except httpx.RequestError as error:
            raise answers.not_reachable(self.address.url, error) from error
        return answers.read(call, response)

    async def _walk(self, walk: Pages[T]) -> AsyncIterator[T]:
        """Yield a list page by page; wait when the server limits such calls."""
        while not walk.over:
            backoff = Backoff(PATIENCE)
            while True:
                try:
                    page = await self.send(walk.call())
                    break
                except RateLimited as error:
                    await asyncio.sleep(backoff.after(error))
            for item in page:
                yield item

    @asynccontextmanager
    async def _stream(self, request: Request) -> AsyncIterator[httpx.Response]:
        """Open an event stream. A connection that breaks inside the block also raises NotReachable."""
        try:
            response = await self._http.send(wire.build(self._http, request, self._timeout), stream=True)
            async with aclosing(response):
                if not response.is_success:
                    await response.aread()
                answers.expect_stream(response)
                yield response
        except httpx.RequestError as error:
            raise answers.not_reachable(self.address.url, error) from error
