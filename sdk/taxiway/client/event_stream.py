"""Hears a tenant's events over blocking I/O: nothing is handed out before the stream has begun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import chain

import httpx

from taxiway.client.event_reading import Listening
from taxiway.client.views import Event


def heard(pieces: Iterator[bytes]) -> Iterator[Event]:
    """Wait for the beginning of what is heard; yield it to the end of the connection, in whatever way that comes."""
    listening = Listening()
    first: list[Event] = []
    while not listening.begun:
        first += listening.feed(next(pieces, listening.NOTHING))
    return chain(first, _rest(listening, pieces))


def _rest(listening: Listening, pieces: Iterator[bytes]) -> Iterator[Event]:
    with suppress(httpx.RequestError):
        for piece in pieces:
            yield from listening.feed(piece)
