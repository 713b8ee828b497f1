"""Calls for bulk operations on runs, awaited."""

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
    """Calls of the asyncio client that cancel, pause, resume or retry every run of a filter."""

    async def bulk(self, action: str, *, dry_run: bool = False, **where: Unpack[Filter]) -> BulkView:
        """Start a `"cancel"`, `"pause"`, `"resume"` or `"retry"` of every run that exists now and meets all criteria.

        `where` is the filter of runs(), with at least one criterion. With `dry_run` the server only counts the runs
        (`matched`). Otherwise the server completes the operation by itself: see bulk_progress().
        """
        return await self.send(bulk.start(action, where, dry_run=dry_run))

    async def bulk_operation(self, bulk_id: str) -> BulkView:
        """Fetch the progress of an operation."""
        return await self.send(bulk.look(bulk_id))

    async def bulk_progress(self, bulk_id: str, *, patience: float | None = wire.PATIENCE) -> AsyncIterator[BulkView]:
        """Yield the progress of an operation until it has ended.

        Waits for an unreachable server, up to `patience` seconds in a row (None: without limit).
        """
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
