"""End of the streams of revoked keys; otherwise a stream would outlive its key and deliver links that decide."""

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol
from uuid import UUID

from sqlmodel import col, select

from api.http.auth import Caller
from api.http.transactions import reading
from models.runtime.facts import fact
from models.tables.api_key import ApiKey

LOOK_SECONDS = 2.0


class OpenStream(Protocol):
    """A stream that a caller has open."""

    viewer: Caller | None
    revoked: bool

    def close(self) -> None:
        """End the stream."""


async def end_revoked_forever(open_streams: Callable[[], Collection[OpenStream]]) -> None:
    """Check the keys of all open streams every LOOK_SECONDS, with one statement; never returns."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        watched = [one for one in open_streams() if one.viewer is not None]
        if watched:
            await _end(watched)


async def _end(watched: Collection[OpenStream]) -> None:
    keys = {one.viewer.key for one in watched if one.viewer is not None}
    try:
        valid = await asyncio.to_thread(_valid, keys)
    except Exception as error:  # noqa: BLE001  the loop must survive any error; without a database no key is revoked either
        fact("stream.keys_unknown", level="warning", error=type(error).__name__)
        return
    for one in watched:
        if one.viewer is not None and one.viewer.key not in valid:
            one.revoked = True
            one.close()


def _valid(keys: Collection[UUID]) -> set[UUID]:
    wanted = select(ApiKey.id).where(col(ApiKey.id).in_(keys), col(ApiKey.revoked_at).is_(None))
    with reading() as session:
        return set(session.exec(wanted))
