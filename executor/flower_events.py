"""Gathers what the worker tells Flower: two messages a second, whatever the number of runs.

Celery would send the events of each turn of its consumer's loop at once, and take no ticket meanwhile: that was a third of
what a busy worker does. A view that is half a second old is as good a view.
"""

from typing import Any

from celery import bootsteps

GATHER_SECONDS = 0.5
MOST_WAITING = 1000  # events; then they are sent by whoever adds one


class FlowerEventBatcher(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery is untyped
    """Sends the task events that have gathered, from time to time and before the worker ends."""

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
