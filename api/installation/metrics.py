"""GET /metrics: what autoscalers and alarms read of each queue, and how this process is, as Prometheus takes it.

Open like /health: it names queues and counts runs, and nothing of any tenant. A reading serves all that ask within a second,
so that nobody can keep the database, or this process, busy by asking. While the database is away there is no answer rather
than one that says nothing waits.
"""

import threading
import time
from collections.abc import Iterator, Sequence

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from api.answers import PRIVATE
from api.documented import refusals
from api.installation.capacity import look
from api.problems import Problem
from api.shapes import QueueCapacity

router = APIRouter(tags=["Health"])

FRESH_SECONDS = 1.0
OLDEST_SECONDS = 30.0
_TEXT = {
    "description": "Metrics in Prometheus' text format.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}
_GAUGES = {
    "workers": "Live workers that take part in the queue and do not drain.",
    "slots": "Their slots: runs that they can execute at once.",
    "limit": "Runs in flight at once by what ops said; missing where there is no such limit.",
    "in_flight": "Runs that are executed, and tickets that are out.",
    "executing": "Runs that are executed.",
    "ready": "Runs that wait for a slot, for their agent or for the queue, and for nothing of their own.",
    "blocked": "Runs that something of their own holds back: a time, a place of their key or tenant.",
    "parked": "Runs that wait for a person, a signal, a time or a child; they need no slot.",
    "open": "1 while the queue lets its runs go: it is not paused, and its window is open.",
    "cordoned": "1 while the queue starts no new runs.",
}


class _Queues(Collector):
    """The gauges of all queues, from one reading."""

    def __init__(self, queues: Sequence[QueueCapacity]) -> None:
        self._queues = [(queue["queue"], _values(queue)) for queue in queues]

    def collect(self) -> Iterator[Metric]:
        """Give each gauge with its value for each queue that has one."""
        for name, meaning in _GAUGES.items():
            family = GaugeMetricFamily(f"taxiway_queue_{name}", meaning, labels=["queue"])
            for queue, values in self._queues:
                value = values[name]
                if value is not None:
                    family.add_metric([queue], value)
            yield family


def _values(queue: QueueCapacity) -> dict[str, int | None]:
    window = queue["nextWindow"]
    return {
        "workers": queue["workers"],
        "slots": queue["slots"],
        "limit": queue["limit"],
        "in_flight": queue["inFlight"],
        "executing": queue["executing"],
        "ready": queue["queued"] - queue["blocked"],
        "blocked": queue["blocked"],
        "parked": queue["parked"],
        "open": int(not queue["paused"] and (window is None or window["open"])),
        "cordoned": int(queue["cordoned"]),
    }


class _Reading:
    """The last reading, good for a second. One call makes the next; who asks meanwhile takes the last, and waits for nobody."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held by the call that reads; nobody waits for it
        self._read_at = float("-inf")
        self._queues: list[QueueCapacity] = []

    def get(self) -> list[QueueCapacity]:
        """Give the counts of all queues; raises Problem `unavailable` when none are known that are young enough."""
        if self._age() >= FRESH_SECONDS and self._lock.acquire(blocking=False):
            try:
                self._queues, self._read_at = look(), time.monotonic()
            finally:
                self._lock.release()
        if self._age() > OLDEST_SECONDS:
            raise Problem("unavailable", "The queues are being counted for another call. Ask again.")
        return self._queues

    def _age(self) -> float:
        return time.monotonic() - self._read_at


_reading = _Reading()


@router.get(
    "/metrics",
    response_model=None,
    response_class=Response,
    summary="How busy is it?",
    responses={200: _TEXT, **refusals("unavailable", open_to_all=True)},
)
def metrics() -> Response:
    """Give the gauges `taxiway_queue_*` of each queue, and those of this process."""
    document = generate_latest(_Queues(_reading.get())) + generate_latest(REGISTRY)
    return Response(document, media_type=CONTENT_TYPE_PLAIN_0_0_4, headers=PRIVATE)
