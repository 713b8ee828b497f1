"""Batches of the worker's task events for Flower: two messages a second, whatever the number of runs.

Celery sends the events of each turn of its consumer's loop before it takes the next ticket: that was a third of a busy
worker's time. Flower tolerates a delay of 0.5 s.
"""

from typing import Any

from celery import bootsteps

GATHER_SECONDS = 0.5
MOST_WAITING = 1000  # events; beyond that the thread that adds one sends them


class FlowerEventBatcher(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery is untyped
    """Sends the gathered task events twice a second, and before the worker ends."""

    requires = ("celery.worker.consumer.events:Events",)
    timer: Any = None

    def start(self, parent: Any) -> None:
        self._dispatcher = parent.event_dispatcher
        self._dispatcher.on_send_buffered, self._dispatcher.buffer_limit = None, MOST_WAITING
        self.timer = parent.timer.call_repeatedly(GATHER_SECONDS, self._dispatcher.flush)

    def stop(self, parent: Any) -> None:  # noqa: ARG002  Celery passes it
        if self.timer is not None:
            self.timer.cancel()
            self._dispatcher.flush()
