"""What is done to many runs at once, as calls of the asyncio client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Unpack

from taxiway.client import bulk, wire
from taxiway.client.aio_connection import AsyncConnection
from taxiway.client.backoff import Backoff
from taxiway.client.bulk import BulkView
from taxiway.client.pages import Filter
from taxiway.errors import TaxiwayError


class AsyncBulkCalls(AsyncConnection):
    """The part of a client that cancels, pauses, resumes or tries again all runs that are meant; see Bulking."""

    async def bulk(self, action: str, *, dry_run: bool = False, **where: Unpack[Filter]) -> BulkView:
        """Have something done to every run that meets all criteria and exists now; see Client.bulk."""
        return await self.send(bulk.start(action, where, dry_run=dry_run))

    async def bulk_operation(self, bulk_id: str) -> BulkView:
        """Fetch how far an operation has come."""
        return await self.send(bulk.look(bulk_id))

    async def bulk_progress(self, bulk_id: str, *, patience: float | None = wire.PATIENCE) -> AsyncIterator[BulkView]:
        """Follow an operation: iterate over how far it has come, until it has ended; see Client.bulk_progress."""
        backoff = Backoff(patience)
        while True:
            try:
                seen = await self.bulk_operation(bulk_id)
            except TaxiwayError as error:
                await asyncio.sleep(backoff.after(error))
                continue
            backoff.reset()
            yield seen
            if seen.finished:
                return
            await asyncio.sleep(bulk.LOOK_SECONDS)
