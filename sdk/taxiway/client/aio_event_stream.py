"""Live events of a tenant, read with asyncio; see `taxiway.client.event_stream`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import httpx

from taxiway.client.event_stream import Listening
from taxiway.client.views import Event


async def heard(pieces: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Wait until the stream has begun; return its events, which end with the connection, even a broken one."""
    listening = Listening()
    first: list[Event] = []
    while not listening.begun:
        first += listening.feed(await anext(pieces, listening.NOTHING))
    return _rest(first, listening, pieces)


async def _rest(first: list[Event], listening: Listening, pieces: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    for event in first:
        yield event
    with suppress(httpx.RequestError):
        async for piece in pieces:
            for event in listening.feed(piece):
                yield event
