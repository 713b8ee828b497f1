"""GET /metrics: gauges of each queue for autoscalers and alarms, and metrics of this process, in Prometheus' format.

Open like /health: it names queues and counts runs, and shows nothing of any tenant. While the database is unreachable the call
fails, because an answer would claim that no run waits.
"""

from collections.abc import Iterator, Sequence

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from api.http.openapi_responses import refusals
from api.http.responses import PRIVATE
from api.installation.queue_capacity import queue_capacity
from api.shapes import QueueCapacity

router = APIRouter(tags=["Health"])

_TEXT = {
    "description": "Metrics in Prometheus' text format.",
    "content": {"text/plain": {"schema": {"type": "string"}}},
}
_GAUGES = {
    "workers": "Live workers that take part in the queue and do not drain.",
    "slots": "Their slots: runs that they can execute concurrently.",
    "limit": "Configured limit of concurrent runs in flight; missing without a limit.",
    "in_flight": "Executing runs, and published tickets.",
    "executing": "Executing runs.",
    "ready": "Runs that wait only for a slot, their agent or the queue.",
    "blocked": "Runs with a blocker of their own: a start time, or a place of their key or tenant.",
    "parked": "Runs parked on a person, a signal, a timer or a child; they need no slot.",
    "open": "1 while runs of the queue may start or resume: it is not paused, and its window is open.",
    "cordoned": "1 while the queue starts no new runs.",
}


class _Queues(Collector):
    """The gauges of all queues, from one reading."""

    def __init__(self, queues: Sequence[QueueCapacity]) -> None:
        self._queues = [(queue["queue"], _values(queue)) for queue in queues]

    def collect(self) -> Iterator[Metric]:
        """Yield each gauge with its value for each queue that has one."""
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


@router.get(
    "/metrics",
    response_model=None,
    response_class=Response,
    summary="Metrics for Prometheus",
    responses={200: _TEXT, **refusals("unavailable", open_to_all=True)},
)
def metrics() -> Response:
    """Return the gauges `taxiway_queue_*` of each queue, and the metrics of this process."""
    document = generate_latest(_Queues(queue_capacity())) + generate_latest(REGISTRY)
    return Response(document, media_type=CONTENT_TYPE_PLAIN_0_0_4, headers=PRIVATE)
