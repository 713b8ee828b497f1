"""A Taxiway server of prepared answers, for tests of the client and the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from taxiway.client import AsyncClient, AsyncRunHandle, Client, Event, RunHandle

URL = "http://127.0.0.1:8000"
RUN_ID = "01890000-0000-7000-8000-000000000001"
WAIT_ID = "01890000-0000-7000-8000-000000000002"

Reply = httpx.Response | Exception
Answer = Reply | Callable[[httpx.Request], Reply]


class Canned:
    """Returns its answers one by one, the last one repeatedly, and keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer.stream, Pieces):
            return answer
        # httpx ties a response to the client that receives it: each request gets its own response.
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)

    @property
    def last(self) -> httpx.Request:
        return self.requests[-1]

    def body(self) -> Any:
        """Return the body of the last request."""
        return json.loads(self.last.content)


def client(server: Canned) -> Client:
    return Client(URL, "key", transport=server.transport)


def run(status: str = "QUEUED", **more: Any) -> dict[str, Any]:
    """Return a Run as the API shows it."""
    return {"runId": RUN_ID, "status": status, "agent": "greet", "createdAt": "2026-01-02T03:04:05.678Z", **more}


def asked(**more: Any) -> dict[str, Any]:
    """Return an approval as the inbox shows it."""
    return {"waitId": WAIT_ID, "runId": RUN_ID, "agent": "greet", "prompt": "Ship it?", "outcome": None, **more}


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    document = {"type": "about:blank", "title": code.title(), "status": status, "detail": detail, "code": code, **more}
    content_type = {"content-type": "application/problem+json", **(headers or {})}
    return httpx.Response(status, content=json.dumps(document).encode(), headers=content_type)


def frame(kind: str, seq: int | None = None, **data: Any) -> bytes:
    """Return one event as it stands in a stream."""
    lines = [f"event: {kind}", f"data: {json.dumps({'runId': RUN_ID, 'runStatus': 'RUNNING', **data})}"]
    if seq is not None:
        lines.insert(0, f"id: {seq}")
    return ("\n".join(lines) + "\n\n").encode()


END = frame("end", 9, status="SUCCESS", result={"greeting": "hello"})


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that arrives in these pieces; an exception among them breaks the connection there."""

    def __init__(self, *pieces: bytes | BaseException) -> None:
        self.pieces = pieces
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def stream(*pieces: bytes | BaseException) -> httpx.Response:
    """Return an event stream that arrives in these pieces."""
    return httpx.Response(200, headers={"content-type": "text/event-stream; charset=utf-8"}, stream=Pieces(*pieces))


class Blocking:
    """The blocking client, behind the interface that these tests use."""

    def __init__(self, server: Canned) -> None:
        self.server = server

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        with client(self.server) as opened:
            return getattr(opened, method)(*args, **kwargs)

    def on_run(self, method: str, *args: Any, **kwargs: Any) -> Any:
        with client(self.server) as opened:
            return getattr(RunHandle(opened, RUN_ID), method)(*args, **kwargs)

    def then(self, after: str, method: str, *args: Any) -> Any:
        """Call a method of the result of another one."""
        with client(self.server) as opened:
            return getattr(getattr(opened, method)(*args), after)()

    def listed(self, method: str, **kwargs: Any) -> list[Any]:
        with client(self.server) as opened:
            return list(getattr(opened, method)(**kwargs))

    def events(self, **kwargs: Any) -> list[Event]:
        with client(self.server) as opened:
            return list(opened.run(RUN_ID).events(**kwargs))


class Awaited:
    """The asyncio client, behind the same interface."""

    def __init__(self, server: Canned) -> None:
        self._open = partial(AsyncClient, URL, "key", transport=server.transport)

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        async def go() -> Any:
            async with self._open() as opened:
                return await getattr(opened, method)(*args, **kwargs)

        return asyncio.run(go())

    def on_run(self, method: str, *args: Any, **kwargs: Any) -> Any:
        async def go() -> Any:
            async with self._open() as opened:
                return await getattr(AsyncRunHandle(opened, RUN_ID), method)(*args, **kwargs)

        return asyncio.run(go())

    def then(self, after: str, method: str, *args: Any) -> Any:
        async def go() -> Any:
            async with self._open() as opened:
                return await getattr(await getattr(opened, method)(*args), after)()

        return asyncio.run(go())

    def listed(self, method: str, **kwargs: Any) -> list[Any]:
        async def go() -> list[Any]:
            async with self._open() as opened:
                return [item async for item in getattr(opened, method)(**kwargs)]

        return asyncio.run(go())

    def events(self, **kwargs: Any) -> list[Event]:
        async def go() -> list[Event]:
            async with self._open() as opened:
                return [event async for event in opened.run(RUN_ID).events(**kwargs)]

        return asyncio.run(go())


Speaker = Callable[[Canned], Blocking | Awaited]
KINDS: list[Speaker] = [Blocking, Awaited]
both = pytest.mark.parametrize("speak", KINDS)
