"""Recorder of all writes of one worker, routed so that the items of one run keep their order.

Large items commit on a second connection, so that a megabyte of step value does not delay the small items of other runs. A
run with items under way sends its later items to the same connection, whatever their size.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast
from uuid import UUID

from executor.recorder.connection import Decision
from executor.recorder.group_commit import Answer, GroupCommitter, Item, is_committed, wait_for
from models.runs import recording
from models.runs.public_event import public
from models.runs.recording import Fence
from models.runtime.bus import Bus
from models.runtime.database import Connection, Row
from models.stored_event import StoredEvent

LARGE = 128 << 10
_OF_EVENT = ("run_id", "seq", "at", "type", "verb", "status", "status_was", "reason", "data", "tenant")

T = TypeVar("T")


class Recorder:
    """Commits the items of all activations of the worker and publishes their events after the commit. Any thread may use it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._small = GroupCommitter("small", self._publish)
        self._large = GroupCommitter("large", self._publish)
        self._lock = threading.Lock()
        self._under_way: dict[UUID, tuple[GroupCommitter, int]] = {}

    def start(self) -> None:
        """Open both connections; raise DatabaseAway."""
        self._small.start()
        self._large.start()

    def stop(self, deadline: float) -> None:
        """Commit the queued items, then close."""
        self._small.stop(deadline)
        self._large.stop(deadline)

    def put(
        self,
        run: UUID,
        statement: Decision,
        done: Callable[[Answer], None],
        *,
        size: int = 0,
        fence: Fence | None = None,
        n: int = 0,
        settle: Callable[[Connection], bool] | None = None,
        alone: bool = False,
        inline: bool = False,
    ) -> None:
        """Queue an item of a run. With `fence` and `n`, or by `settle`, a lost acknowledgement is settled by the run row.

        An `inline` item is committed in the calling thread, unless another thread commits or items of its run wait.
        """
        if fence and n:
            settle = lambda connection: committed(connection, fence, n)  # noqa: E731
        item = Item(statement, self._counted(run, done), size, settle, run, alone)
        with self._lock:
            lane, items = self._under_way.get(run) or (self._large if size > LARGE else self._small, 0)
            self._under_way[run] = (lane, items + 1)
            if items or not inline:
                lane.put(item)
                return
        if not lane.commit_inline(item):
            lane.put(item)

    def write(
        self, run: UUID, statement: Decision[T], *, then: Callable[[], None] | None = None, **options: Any
    ) -> T | Exception | None:
        """Queue an item and wait until it is committed or refused; `then` is called immediately after its commit."""

        def put(item: Item) -> None:
            def done(answer: Answer) -> None:
                if then is not None and is_committed(answer):
                    then()
                item.done(answer)

            self.put(run, item.statement, done, inline=True, **options)

        return cast("T | Exception | None", wait_for(put, statement))

    def _counted(self, run: UUID, done: Callable[[Answer], None]) -> Callable[[Answer], None]:
        def finished(answer: Answer) -> None:
            with self._lock:
                lane, items = self._under_way.pop(run)
                if items > 1:
                    self._under_way[run] = (lane, items - 1)
            done(answer)

        return finished

    def _publish(self, event: StoredEvent | Row) -> None:
        if isinstance(event, dict):
            event = StoredEvent(**{name: event[name] for name in _OF_EVENT})
        self._bus.publish_event(event.tenant, public(event))


def committed(connection: Connection, fence: Fence, n: int) -> bool:
    """Return whether item `n` of the activation was committed, by the number that the run row keeps."""
    run = recording.fenced(fence.run).one(connection)
    return run is not None and run.epoch == fence.epoch and run.recorded_n >= n


def claimed(connection: Connection, fence: Fence) -> bool:
    """Return whether the run is leased under this fence, so that a claim with a lost acknowledgement was committed."""
    run = recording.fenced(fence.run).one(connection)
    return run is not None and run.belongs_to(fence)
