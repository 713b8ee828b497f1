"""Connection to one server, blocking: sends a call, walks a list, opens an event stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
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


class Connection:
    """The HTTP client of every call, and the only place that sends one; see Client for the arguments."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        timeout: float = wire.TIMEOUT,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.address = find_address(url, api_key)
        self._timeout = timeout
        self._http = httpx.Client(**wire.settings(self.address), transport=transport)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, call: Call[T]) -> T:
        """Send one call and read its answer."""
        try:
            response = self._http.send(wire.build(self._http, call.request, self._timeout))
        except httpx.RequestError as error:
            raise answers.not_reachable(self.address.url, error) from error
        return answers.read(call, response)

    def _walk(self, walk: Pages[T]) -> Iterator[T]:
        """Yield a list page by page; wait when the server limits such calls."""
        while not walk.over:
            backoff = Backoff(PATIENCE)
            while True:
                try:
                    page = self.send(walk.call())
                    break
                except RateLimited as error:
                    time.sleep(backoff.after(error))
            yield from page

    @contextmanager
    def _stream(self, request: Request) -> Iterator[httpx.Response]:
        """Open an event stream. A connection that breaks inside the block also raises NotReachable."""
        try:
            with closing(self._http.send(wire.build(self._http, request, self._timeout), stream=True)) as response:
                if not response.is_success:
                    response.read()
                answers.expect_stream(response)
                yield response
        except httpx.RequestError as error:
            raise answers.not_reachable(self.address.url, error) from error
