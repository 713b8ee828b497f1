"""What is done to many runs at once, as calls of the blocking client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Unpack

from taxiway.client import bulk, wire
from taxiway.client.backoff import Backoff
from taxiway.client.bulk import BulkView
from taxiway.client.connection import Connection
from taxiway.client.pages import Filter
from taxiway.errors import TaxiwayError


class BulkCalls(Connection):
    """The part of a client that cancels, pauses, resumes or tries again all runs that are meant."""

    def bulk(self, action: str, *, dry_run: bool = False, **where: Unpack[Filter]) -> BulkView:
        """Have `"cancel"`, `"pause"`, `"resume"` or `"retry"` done to every run that meets all criteria and exists now.

        `where` is as for runs(), and names one criterion at least. With `dry_run` the runs are only counted (`matched`).
        Otherwise the server goes on with it by itself: see bulk_progress().
        """
        return self.send(bulk.start(action, where, dry_run=dry_run))

    def bulk_operation(self, bulk_id: str) -> BulkView:
        """Fetch how far an operation has come."""
        return self.send(bulk.look(bulk_id))

    def bulk_progress(self, bulk_id: str, *, patience: float | None = wire.PATIENCE) -> Iterator[BulkView]:
        """Follow an operation: iterate over how far it has come, until it has ended.

        A server that is away is waited for, up to `patience` seconds in a row (None: for ever).
        """
        backoff = Backoff(patience)
        while True:
            try:
                seen = self.bulk_operation(bulk_id)
            except TaxiwayError as error:
                time.sleep(backoff.after(error))
                continue
            backoff.reset()
            yield seen
            if seen.finished:
                return
            time.sleep(bulk.LOOK_SECONDS)
