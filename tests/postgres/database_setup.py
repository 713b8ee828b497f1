"""A queue with its workers and the duties that promote its runs: tests accept, begin, park and end runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from models import idle_ends, moves
from models.calendar import windows
from models.ids import new_id
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.promotion.tickets import Ticket
from models.runs.enqueue import NewRun, enqueue
from models.waiting import waits
from models.waiting.wake import wake_run
from scheduler.duties.expiry import Expiry
from scheduler.duties.place_assignment import Places
from scheduler.duties.timed_release import Lifting
from scheduler.duties.window_enforcement import Closing
from scheduler.promotion.gates import GateReader
from scheduler.promotion.promotion import Promotion
from tests.postgres.factory import AGENT, TENANT, Made, World
from tests.postgres.stepping import do

QUEUE = "default"
_RENEW = """
    UPDATE worker SET lease_until = now() + interval '1 h', consuming_at = now() WHERE id = %s AND lease_until > now()
    """
"""Renewal by a live worker. Its lease outlasts the slowest test: one insert may take longer than 15 s."""


class Published:
    """Keeps what a broker would have received."""

    def __init__(self) -> None:
        self.tickets: list[Ticket] = []

    def __call__(self, tickets: list[Ticket]) -> None:
        self.tickets += tickets

    def take(self) -> list[UUID]:
        ids = [ticket.id for ticket in self.tickets]
        self.tickets = []
        return ids


@dataclass
class DatabaseSetup:
    """The workers of one queue, without the processes: `turn` is one pass of the leader's loop."""

    world: World
    slots: int = 8

    def __post_init__(self) -> None:
        self.connection = self.world.connection
        self.published = Published()
        self.worker = consuming(self.world, slots=self.slots)
        self.connection.execute(_RENEW, [self.worker])
        self.new_leader()

    def new_leader(self) -> None:
        """Forget all that a leader remembers."""
        gates = GateReader()
        self.places, self.closing = Places(5, gates), Closing(gates)
        self.promotion = Promotion(self.published, gates, fill_s=0)
        self.lifting, self.expiry = Lifting(), Expiry()

    def turn(self) -> list[UUID]:
        """Do the duties once, while the worker lives; return the promoted runs, in order."""
        self.connection.execute(_RENEW, [self.worker])
        do(self.lifting, self.connection)
        do(self.expiry, self.connection)
        do(self.closing, self.connection)
        do(self.places, self.connection)
        do(self.promotion, self.connection)
        return self.published.take()

    def rule(self, queue: str = QUEUE, **columns: Any) -> None:
        """Change the columns of a queue as the API does."""
        sets = ", ".join(f"{name} = %({name})s" for name in columns)
        self.connection.execute(f"UPDATE queue SET {sets} WHERE name = %(queue)s", {"queue": queue, **columns})
        self.connection.execute("INSERT INTO place_change (queue) VALUES (%s)", [queue])

    def accept(self, tenant: str = TENANT, **fields: Any) -> UUID:
        """Accept one run."""
        run = NewRun(**{"agent": AGENT, "queue": QUEUE, "input": "{}", **fields})
        enqueue(self.connection, tenant, [run])
        return run.id

    def made(self, run: UUID) -> Made:
        """Return the right under which the run's worker writes now."""
        return Made(run, self.world.row(run)["epoch"], self.worker)

    def begin(self, run: UUID) -> Made:
        """Claim the run's ticket."""
        made = self.made(run)
        claimed = moves.claim(run, made.epoch, made.worker, label="w", versions="{}", served=[AGENT, "other"])
        assert claimed.one(self.connection), "no ticket"
        return made

    def end(self, run: UUID) -> None:
        """Finish an executing run."""
        made = self.made(run)
        assert moves.succeed(run, made.epoch, made.worker, n=1, result="1", active_ms=1).one(self.connection)

    def park(self, run: UUID) -> None:
        """Park an executing run until a signal arrives."""
        made, inbox = self.made(run), self.world.row(run)["inbox"]
        wait = NewWait(f"signal {new_id()}", "signal", {"signal": "go"})
        park = moves.park(
            Verb.PAUSE_BY_AGENT,
            run,
            made.epoch,
            made.worker,
            inbox=inbox,
            active_ms=1,
            reason=Reason.WAITING,
            waits=[wait],
        )
        assert park.one(self.connection)

    def wake(self, run: UUID) -> None:
        """End the wait of a parked run."""
        with self.connection.transaction():
            run_state = waits.lock_run(run, self.world.row(run)["tenant"]).one(self.connection)
            assert run_state
            over = waits.resolve(run, run_state.epoch, ("signal",), outcome="received", by=None).all(self.connection)
            assert wake_run(self.connection, run_state, over)

    def cancel(self, run: UUID) -> None:
        """Cancel a run that no worker executes."""
        tenant = self.world.row(run)["tenant"]
        assert idle_ends.cancel_idle(self.connection, run, tenant, reason=Reason.BY_USER, by="ann", comment=None)

    def window(self, name: str, *, is_open: bool) -> None:
        """Store a window that is open all day, or closed all day."""
        kind = "window" if is_open else "blackout"
        given = {"cron": "* * * * *", "duration_ms": 3_600_000, "timezone": "UTC", "kind": kind, "on_close": "finish"}
        assert windows.put(name, **given, by="ann").one(self.connection)

    def status(self, run: UUID) -> tuple[str, str | None]:
        """Return the run's status and reason."""
        row = self.world.row(run)
        return row["status"], row["reason"]

    def gate(self, run: UUID) -> str | None:
        """Return what holds the run back."""
        gate: str | None = self.world.row(run)["blocked_on"]
        return gate

    @contextmanager
    def somebody_decides_about(self, run: UUID) -> Iterator[None]:
        """Hold the run's row in a transaction of another connection."""
        with psycopg.connect(self.connection.info.dsn, row_factory=dict_row) as other:
            other.execute("SELECT FROM run WHERE id = %s FOR UPDATE", [run])
            yield
            other.rollback()


def consuming(world: World, **columns: Any) -> UUID:
    """Register a live worker whose consumer's hub turns."""
    worker = world.worker(**columns)
    world.connection.execute("UPDATE worker SET consuming_at = now() WHERE id = %s", [worker])
    world.connection.execute(
        "INSERT INTO queue (name) SELECT queue FROM worker WHERE id = %s ON CONFLICT DO NOTHING", [worker]
    )
    return worker


DatabaseSetups = Callable[..., DatabaseSetup]
