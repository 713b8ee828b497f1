"""Hears a tenant's events with asyncio: nothing is handed out before the stream has begun."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import httpx

from taxiway.client.event_reading import Listening
from taxiway.client.views import Event


async def heard(pieces: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Wait for the beginning of what is heard; see `taxiway.client.event_stream`."""
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
