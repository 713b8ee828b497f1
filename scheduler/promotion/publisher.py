"""Publication of tickets in a thread of its own: timers and recovery continue without a broker.

A ticket that could not be published is not lost: its run keeps `ticket_at`, and the ticket is published again if no worker
claims it.
"""

import threading
from queue import SimpleQueue
from typing import Any

from celery import Celery
from kombu.exceptions import KombuError, OperationalError
from kombu.messaging import Producer

from models.promotion.tickets import Ticket
from models.runtime import kombu_channel
from models.runtime.celery_settings import TASK, broker_settings
from models.runtime.facts import fact
from models.runtime.settings import Settings

BATCH = 500


class Publisher:
    """Sends one small message per ticket: ids and the epoch only. `publish` is called by the loop's thread."""

    def __init__(self, settings: Settings) -> None:
        kombu_channel.install()
        self._app = Celery("taxiway-scheduler", set_as_current=False)
        self._app.conf.update(broker_settings(settings))
        self._waiting: SimpleQueue[list[Ticket] | None] = SimpleQueue()
        self._away = False
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def publish(self, tickets: list[Ticket]) -> None:
        """Queue tickets for publication; never blocks."""
        if tickets:
            self._waiting.put(tickets)

    def stop(self, deadline: float) -> None:
        """Publish the queued tickets, for `deadline` seconds at most."""
        self._waiting.put(None)
        self._thread.join(deadline)

    def _run(self) -> None:
        while (tickets := self._waiting.get()) is not None:
            try:
                self._send(tickets)
            except (KombuError, OperationalError, OSError) as error:
                if not self._away:
                    fact("broker.away", level="warning", error=type(error).__name__, tickets=len(tickets))
                self._away = True
            except Exception:  # noqa: BLE001  without this thread nothing would ever be published again
                fact("publisher.failed", level="exception")
            else:
                if self._away:
                    fact("broker.back")
                self._away = False

    def _send(self, tickets: list[Ticket]) -> None:
        with self._app.producer_pool.acquire(block=True, timeout=5) as producer, producer.batch(max_size=BATCH):
            for ticket in tickets:
                self._put(producer, ticket)

    def _put(self, producer: Producer, ticket: Ticket) -> None:
        """Publish straight to the queue; `send_task` would look up routes and a result that no ticket has."""
        headers, properties, body, _ = self._app.amqp.as_task_v2(name=TASK, ignore_result=True, **message(ticket))
        producer.publish(  # type: ignore[no-untyped-call]  # kombu is untyped
            body,
            exchange="",
            routing_key=ticket.queue,
            headers=headers,
            serializer="json",
            retry=False,
            **properties,
        )


def message(ticket: Ticket) -> dict[str, Any]:
    """Return the Celery arguments of a ticket. They must hold nothing but names, ids and the epoch."""
    run, epoch, n = ticket.id, ticket.epoch, ticket.ticket_n
    return {
        "kwargs": {"run": str(run), "epoch": epoch},
        "task_id": f"{run}.{epoch}" if n == 1 else f"{run}.{epoch}.{n}",
        "shadow": f"agent:{ticket.agent}",
        "argsrepr": f"run={run} epoch={epoch}",
        "kwargsrepr": "",
    }
