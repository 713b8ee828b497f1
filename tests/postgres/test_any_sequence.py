"""Any sequence of calls on one run, right and wrong ones mixed: its state always equals that of a small hand-written model.

The model knows five facts of a run (status, kind of pause, holder, request, epoch) and, for each call, when it is allowed
and its effect. It is written from the tables of the design, not from the statements.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from models import control_requests, moves
from models.lifecycle import Reason, Verb
from models.promotion import tickets
from models.runs import recording
from models.runs.enqueue import NewRun, enqueue
from models.runs.recording import Fence, Limits
from models.statement import Statement
from tests.postgres.calls import ERROR, record
from tests.postgres.factory import AGENT, TENANT, World

ENDED = {"SUCCESS", "FAILED", "CANCELED"}
PARKS = {
    Verb.REQUIRE_AUTHORIZATION: ("AUTH_REQUIRED", None),
    Verb.AWAIT_APPROVAL: ("PAUSED", "approval"),
    Verb.PAUSE_BY_AGENT: ("PAUSED", "agent"),
}
LIMITS = Limits(steps=1000, recorded_bytes=1 << 20)
ENDING = ("succeed", "fail", "cancel_executing", "cancel_idle", "fail_idle", "request_cancel")
ANYTHING = (
    *ENDING, "promote", "decline", "claim", "park", "pause_executing", "release", "step", "event", "cancel_overdue",
    "ask_for_a_pause_or_take_it_back", "pause_idle", "resume", "signal", "park_for_window", "close_or_open_its_window",
)  # fmt: skip
Draw = Callable[[Any], Any]


@dataclass(frozen=True)
class Model:
    """The expected state of the run."""

    status: str = "QUEUED"
    kind: str | None = None
    epoch: int = 0
    ticket: bool = False
    lease: UUID | None = None
    asked: str | None = None
    inbox: int = 0
    n: int = 0
    crashes: int = 0
    moved: int = 1
    noted: int = 0
    finished: frozenset[str] = frozenset()

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def idle(self) -> bool:
        return self.lease is None and not self.ended

    @property
    def ready(self) -> bool:
        return self.status in {"QUEUED", "RUNNING"} and self.lease is None

    def to(self, status: str, kind: str | None = None, **changes: Any) -> Model:
        """Set the state after a move: the run has no holder unless the move sets one."""
        return replace(
            self, **{"status": status, "kind": kind, "ticket": False, "lease": None, **changes, "moved": self.moved + 1}
        )


class OneRun(RuleBasedStateMachine):
    """Calls in any order; epochs and workers are right half of the time."""

    connection: psycopg.Connection[dict[str, Any]]
    workers: tuple[UUID, UUID]

    @initialize()
    def begin(self) -> None:
        run = NewRun(agent=AGENT, queue="default", input="{}", window="night")
        enqueue(self.connection, TENANT, [run])
        self.run, self.model = run.id, Model()
        self.world = World(self.connection)
        self.frozen: dict[str, Any] | None = None

    def _call(self, statement: Statement, allowed: bool, then: Model) -> None:
        row = statement.one(self.connection)
        assert (row is not None) == allowed, (self.model, statement.sql)
        if allowed:
            self.model = then

    def _fence(self, draw: Draw) -> tuple[int, UUID, bool]:
        """Return an epoch and a worker, and whether they are the run's own."""
        wrong_epoch, other_worker = draw(st.sampled_from([(0, 0), (0, 0), (0, 0), (-1, 0), (1, 0), (0, 1)]))
        epoch = self.model.epoch + wrong_epoch
        worker = self.model.lease or self.workers[0]
        if other_worker:
            worker = self.workers[1] if worker == self.workers[0] else self.workers[0]
        return epoch, worker, (epoch, worker) == (self.model.epoch, self.model.lease)

    # ------------------------------------------------------------------------------------------------------- tickets
    def promote(self, draw: Draw) -> None:
        model = self.model
        allowed = model.ready and not model.ticket and model.asked is None
        self._call(tickets.promote([self.run]), allowed, replace(model, ticket=True, epoch=model.epoch + 1))

    def decline(self, draw: Draw) -> None:
        off = draw(st.sampled_from([0, 0, -1, 1]))
        statement = tickets.decline(self.run, self.model.epoch + off, draining=draw(st.booleans()))
        self._call(statement, self.model.ticket and off == 0, replace(self.model, ticket=False))
        self.connection.execute("UPDATE run SET blocked_on = NULL, blocked_until = NULL WHERE id = %s", [self.run])

    def claim(self, draw: Draw) -> None:
        off, worker = draw(st.sampled_from([0, 0, 0, -1, 1])), draw(st.sampled_from(self.workers))
        statement = moves.claim(self.run, self.model.epoch + off, worker, label="w", versions="{}", served=[AGENT])
        allowed = self.model.ticket and off == 0 and self.model.asked is None
        self._call(statement, allowed, self.model.to("RUNNING", lease=worker, n=0))

    # -------------------------------------------------------------------------------------------- what an activation does
    def succeed(self, draw: Draw) -> None:
        epoch, worker, right = self._fence(draw)
        statement = moves.succeed(self.run, epoch, worker, n=self.model.n + 1, result="1", active_ms=1)
        self._call(statement, right, self.model.to("SUCCESS"))

    def fail(self, draw: Draw) -> None:
        epoch, worker, right = self._fence(draw)
        n, reason = self.model.n + 1, Reason.AGENT_ERROR
        statement = moves.fail(self.run, epoch, worker, n=n, reason=reason, error=ERROR, active_ms=1)
        self._call(statement, right, self.model.to("FAILED"))

    def cancel_executing(self, draw: Draw) -> None:
        epoch, worker, right = self._fence(draw)
        statement = moves.cancel_executing(self.run, epoch, worker, active_ms=1, in_flight=None, stopped="killed")
        self._call(statement, right, self.model.to("CANCELED"))

    def park(self, draw: Draw) -> None:
        verb, missed = draw(st.sampled_from(list(PARKS))), draw(st.sampled_from([0, 0, 1]))
        epoch, worker, right = self._fence(draw)
        inbox, reason = self.model.inbox - missed, Reason.WAITING
        statement = moves.park(verb, self.run, epoch, worker, inbox=inbox, active_ms=1, reason=reason)
        allowed = right and not missed and self.model.asked in {None, "window"}
        self._call(statement, allowed, self.model.to(*PARKS[verb], asked=None))

    def park_for_window(self, draw: Draw) -> None:
        epoch, worker, right = self._fence(draw)
        statement = moves.park_for_window(self.run, epoch, worker, active_ms=1, window="night")
        self._call(statement, right and self.model.asked == "window", self.model.to("PAUSED", "agent", asked=None))

    def close_or_open_its_window(self, draw: Draw) -> None:
        """Only an executing run without another request is asked."""
        if draw(st.booleans()):
            asking = control_requests.ask_for_windows(windows=["night"], queues={}, agents={})
            asked = [row for row in asking.all(self.connection) if row.id == self.run]
            assert bool(asked) == (self.model.lease is not None and self.model.asked is None)
            self.model = replace(self.model, asked="window") if asked else self.model
        else:
            control_requests.take_windows_back(windows=[]).all(self.connection)
            self.model = replace(self.model, asked=None) if self.model.asked == "window" else self.model

    def pause_executing(self, draw: Draw) -> None:
        epoch, worker, right = self._fence(draw)
        statement = moves.pause_executing(self.run, epoch, worker, active_ms=1)
        self._call(statement, right and self.model.asked == "pause", self.model.to("PAUSED", "user", asked=None))

    def release(self, draw: Draw) -> None:
        verb = draw(st.sampled_from([Verb.RECOVER, Verb.HAND_BACK]))
        epoch, worker, right = self._fence(draw)
        statement = moves.release(self.run, epoch, worker, verb=verb, reason=Reason.HOST_LOST, error=ERROR)
        model = replace(self.model, epoch=self.model.epoch + 1, crashes=self.model.crashes + (verb is Verb.RECOVER))
        if model.asked == "cancel":
            then = model.to("CANCELED")
        elif model.crashes == 3 and verb is Verb.RECOVER:
            then = model.to("FAILED")
        elif model.asked == "pause":
            then = model.to("PAUSED", "user", asked=None)
        else:
            then = model.to("RUNNING", asked=None)
        self._call(statement, right, then)

    def step(self, draw: Draw) -> None:
        key, status = f"s##{draw(st.integers(1, 4))}", draw(st.sampled_from(["succeeded", "retrying"]))
        epoch, worker, right = self._fence(draw)
        n = self.model.n + draw(st.sampled_from([0, 1, 1]))
        statement = recording.step(Fence(self.run, epoch, worker), n, record(key, status), LIMITS, None)
        allowed = right and n > self.model.n
        if allowed and key in self.model.finished:
            with pytest.raises(psycopg.DatabaseError, match="finished before"):
                statement.one(self.connection)
            return
        finished = self.model.finished | ({key} if status == "succeeded" else set())
        self._call(statement, allowed, replace(self.model, n=n, noted=self.model.noted + 1, finished=finished))

    def event(self, draw: Draw) -> None:
        epoch, worker, right = self._fence(draw)
        n = self.model.n + draw(st.sampled_from([0, 1, 1]))
        statement = recording.event(Fence(self.run, epoch, worker), n, "agent", "{}", None)
        self._call(statement, right and n > self.model.n, replace(self.model, n=n, noted=self.model.noted + 1))

    # ------------------------------------------------------------------------------------------------------ from outside
    def request_cancel(self, draw: Draw) -> None:
        statement = control_requests.request_cancel(self.run, TENANT, by=None, comment=None, grace_ms=60_000)
        self._call(statement, self.model.lease is not None, replace(self.model, asked="cancel"))

    def cancel_overdue(self, draw: Draw) -> None:
        """Try it before and after the grace has passed."""
        statement = moves.cancel_overdue(self.run, in_flight=None)
        self._call(statement, False, self.model)
        if self.model.asked == "cancel" and not self.model.ended and draw(st.booleans()):
            self.connection.execute("UPDATE run SET control_at = now() - interval '1 h' WHERE id = %s", [self.run])
            self._call(statement, True, replace(self.model, epoch=self.model.epoch + 1).to("CANCELED"))

    def ask_for_a_pause_or_take_it_back(self, draw: Draw) -> None:
        """As in the design: a pause is recorded, and the same statement withdraws a published ticket."""
        if self.model.ended or self.model.asked == "cancel":
            return
        asked = None if self.model.asked == "pause" else "pause"
        sql = "UPDATE run SET control_request = %s, ticket_at = CASE WHEN %s THEN ticket_at END WHERE id = %s"
        self.connection.execute(sql, [asked, asked is None, self.run])
        self.model = replace(self.model, asked=asked, ticket=self.model.ticket and asked is None)

    def cancel_idle(self, draw: Draw) -> None:
        statement = moves.cancel_idle(self.run, TENANT, reason=Reason.BY_USER, by=None, comment=None)
        self._call(statement, self.model.idle, self.model.to("CANCELED"))

    def fail_idle(self, draw: Draw) -> None:
        statement = moves.fail_idle(self.run, reason=Reason.EXPIRED, error=ERROR)
        self._call(statement, self.model.idle and self.model.kind != "user", self.model.to("FAILED"))

    def pause_idle(self, draw: Draw) -> None:
        allowed = self.model.idle and self.model.status == "RUNNING"
        self._call(moves.pause_idle(self.run), allowed, self.model.to("PAUSED", "user", asked=None))

    def resume(self, draw: Draw) -> None:
        allowed = self.model.status in {"AUTH_REQUIRED", "PAUSED"} and self.model.asked is None
        self._call(moves.resume(self.run, reason=Reason.WAIT_OVER), allowed, self.model.to("RUNNING"))

    def signal(self, draw: Draw) -> None:
        if not self.model.ended:
            self.connection.execute("UPDATE run SET inbox = inbox + 1 WHERE id = %s", [self.run])
            self.model = replace(self.model, inbox=self.model.inbox + 1)

    # --------------------------------------------------------------------------------------------------- what is tried next
    @rule(data=st.data())
    def something(self, data: Any) -> None:
        """Two times out of three choose a call that continues the run, so that most sequences get far; otherwise any call.

        One rule and not many: Hypothesis switches rules off at random, and without a claim nothing happens.
        """
        usual, ends = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 7))
        call = data.draw(st.sampled_from(self._usual() if usual else ANYTHING))
        if call not in ENDING or self.model.ended or ends == 5:
            getattr(self, call)(data.draw)

    def _usual(self) -> tuple[str, ...]:
        if self.model.lease:
            return (
                "step", "step", "event", "park", "release", "pause_executing", "ask_for_a_pause_or_take_it_back",
                "close_or_open_its_window", "park_for_window",
            )  # fmt: skip
        if self.model.ticket:
            return ("claim", "claim", "claim", "decline", "pause_idle")
        return ("promote", "resume", "promote", "resume", "ask_for_a_pause_or_take_it_back")

    # --------------------------------------------------------------------------------------------- what is true after each
    @invariant()
    def the_run_is_where_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        row, model = self.world.row(self.run), self.model
        assert (row["status"], row["pause_kind"], row["epoch"], row["lease_worker"]) == (
            model.status, model.kind, model.epoch, model.lease,
        )  # fmt: skip
        assert (row["ticket_at"] is not None, row["ready_at"] is not None) == (model.ticket, model.ready)
        assert (row["crashes"], row["step_count"]) == (model.crashes, len(model.finished))

    @invariant()
    def every_change_has_one_event_and_no_place_is_left_out(self) -> None:
        if not hasattr(self, "model"):
            return
        row, events = self.world.row(self.run), self.world.events(self.run)
        assert [event["seq"] for event in events] == list(range(1, row["seq"] + 1))
        changes = [event for event in events if event["verb"]]
        assert (len(changes), len(events)) == (self.model.moved, self.model.moved + self.model.noted)
        assert changes[-1]["status"] == row["status"]
        for before, after in pairwise(changes):
            assert after["status_was"] == before["status"]
        assert [event["type"] == "end" for event in changes].count(True) == int(self.model.ended)

    @invariant()
    def a_terminal_run_never_changes(self) -> None:
        if not hasattr(self, "model") or not self.model.ended:
            return
        whole = self.world.whole(self.run)
        assert whole == (self.frozen or whole)
        self.frozen = whole


def test_any_sequence_of_calls_keeps_the_law(world: World) -> None:
    class OneRunHere(OneRun):
        connection = world.connection
        workers = (world.worker(), world.worker())

    run_state_machine_as_test(
        OneRunHere,
        settings=settings(
            max_examples=50, stateful_step_count=40, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate,),  # shortening a failing sequence would take minutes here
        ),
    )  # fmt: skip
