"""Actions on a field between the turns of its leader: each chooses a random target, or does nothing without one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from random import Random

from models import idle_ends, moves
from models.fleet import workers
from models.ids import new_id
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.operations import commands
from models.promotion import tickets
from models.runs.enqueue import NewRun, enqueue
from models.waiting import waits
from models.waiting.wake import wake_run
from tests.postgres.calls import ERROR
from tests.postgres.simulation import layout
from tests.postgres.simulation.field import Field, Row

Action = Callable[[Field, Random], None]


# ----------------------------------------------------------------------------------------------------- what people do
def accept(field: Field, dice: Random) -> None:
    """A tenant enqueues some runs together."""
    tenant, queue = field.real(dice.choice(field.layout.tenants)), dice.choice(field.queues)
    runs = [_new(field, dice, queue) for _ in range(dice.choice((1, 1, 1, 2, 3, 6)))]
    with field.connection.transaction():
        enqueue(field.connection, tenant, runs)
    for run in runs:
        named = {"key": run.concurrency_key, "if taken": run.on_conflict, "window": run.window, "priority": run.priority,
                 "not before": run.not_before, "expires in ms": run.expires_in_ms}  # fmt: skip
        quiet = {"if taken": "queue", "priority": 0}
        shown = ", ".join(f"{word} {value}" for word, value in named.items() if value != quiet.get(word))
        field.tell(f"{tenant} enqueues {run.agent} in {queue} [{shown}]", run.id)


def _new(field: Field, dice: Random, queue: str) -> NewRun:
    of, keyed = field.layout, bool(field.layout.keys) and dice.random() < 0.7
    return NewRun(
        agent=dice.choice(list(field.agents)), queue=queue, input="{}",
        priority=dice.choice((0, 0, 0, 0, 5, -5)),
        window=field.real(dice.choice(list(of.windows))) if of.windows and dice.random() < 0.4 else None,
        not_before=field.clock.now + timedelta(seconds=dice.randint(-5, 1500)) if dice.random() < 0.12 else None,
        expires_in_ms=dice.randint(1, 1_800_000) if dice.random() < 0.12 else None,
        concurrency_key=dice.choice(of.keys) if keyed else None,
        on_conflict=dice.choice(of.conflicts) if keyed else "queue",
    )  # fmt: skip


def cancel(field: Field, dice: Random) -> None:
    for run in field.some(dice, field.runs()):
        commands.cancel(field.connection, run["id"], run["tenant"], by="ann", comment=None, grace_ms=1000)
        field.tell("somebody cancels", run["id"])


def pause(field: Field, dice: Random) -> None:
    for run in field.some(dice, field.runs(), 2):
        with field.connection.transaction():
            commands.pause(field.connection, run["id"], run["tenant"], by="ann", comment=None)
        field.tell("somebody pauses", run["id"])


def resume(field: Field, dice: Random) -> None:
    paused = [run for run in field.runs() if run["control_request"] == "pause" or run["pause_kind"] == "user"]
    for run in field.some(dice, paused, 3):
        with field.connection.transaction():
            commands.resume(field.connection, run["id"], run["tenant"], by="ann")
        field.tell("somebody resumes", run["id"])


def wake(field: Field, dice: Random) -> None:
    """The waits of parked runs end."""
    for run in field.some(dice, [run for run in field.runs() if run["pause_kind"] == "agent"], 4):
        signal(field, run)


def signal(field: Field, run: Row) -> None:
    with field.connection.transaction():
        run_state = waits.lock_run(run["id"], run["tenant"]).one(field.connection)
        over = waits.resolve(run["id"], run["epoch"], ("signal",), outcome="received", by=None).all(field.connection)
        assert run_state
        wake_run(field.connection, run_state, over)
    field.tell("a signal comes for", run["id"])


def say_of_queue(field: Field, dice: Random) -> None:
    asked = layout.queue_says(dice, field.layout.said, field.layout.windows)
    field.say_of_queue(dice.choice(field.queues), asked)


def say_of_agent(field: Field, dice: Random) -> None:
    asked = layout.agent_says(dice, field.layout.said, field.layout.windows)
    field.say_of_agent(dice.choice(list(field.agents)), asked)


def override(field: Field, dice: Random) -> None:
    if field.windows:
        field.hold(dice.choice(list(field.windows)), is_open=dice.random() < 0.5, seconds=dice.choice((5, 120, 3600)))


def time_passes(field: Field, dice: Random) -> None:
    seconds = dice.choice((0.01, 0.993, 1, 6, 30, 59.7, 120, 300, 895, 900, 3600))
    field.passes(seconds)
    field.tell(f"{seconds} s pass")


# --------------------------------------------------------------------------------------------------- what workers do
def claim(field: Field, dice: Random) -> None:
    """Workers with a free slot receive tickets."""
    for ticket in field.some(dice, [run for run in field.runs() if run["ticket_at"]], 8):
        take(field, dice, ticket)


def take(field: Field, dice: Random, ticket: Row) -> Row | None:
    """A consuming worker of the queue takes a ticket, or declines it; return the run that it executes now."""
    leased = [run["lease_worker"] for run in field.runs()]
    alive = field.connection.execute(
        "SELECT * FROM worker WHERE queue = %s AND dead_at IS NULL ORDER BY id", [ticket["queue"]]
    ).fetchall()
    able = [worker for worker in alive if leased.count(worker["id"]) < worker["slots"]]
    if not able:
        return None
    worker = dice.choice(able)
    if worker["draining"] or ticket["agent"] not in worker["agents"]:
        tickets.decline(ticket["id"], ticket["epoch"], draining=worker["draining"]).one(field.connection)
        field.tell("a worker declines", ticket["id"])
        return None
    claimed = moves.claim(
        ticket["id"], ticket["epoch"], worker["id"], label="w", versions="{}", served=worker["agents"]
    ).one(field.connection)
    field.tell("a worker begins" if claimed else "a worker drops", ticket["id"])
    return {"id": claimed.run_id, **asdict(claimed)} if claimed else None


def work(field: Field, dice: Random) -> None:
    """Some executing runs reach an edge."""
    for run in field.some(dice, [run for run in field.runs() if run["lease_worker"]], 6):
        at = (run["id"], run["epoch"], run["lease_worker"])
        if run["control_request"]:
            answer(field, run)
        elif (
            what := dice.choice(("finish", "finish", "finish", "fail", "park", "park", "sleep", "crash"))
        ) == "finish":
            finish(field, run)
        elif what == "fail":
            moves.fail(*at, n=1, reason=Reason.STEP_ERROR, error=ERROR, active_ms=1).one(field.connection)
            field.tell("it fails:", run["id"])
        elif what == "crash":
            lost = moves.release(*at, verb=Verb.RECOVER, reason=Reason.HOST_LOST, error=ERROR)
            lost.one(field.connection)
            field.tell("its host dies:", run["id"])
        else:
            _park(field, run, dice.randint(1, 900_000) if what == "sleep" else None)


def finish(field: Field, run: Row) -> None:
    at = (run["id"], run["epoch"], run["lease_worker"])
    moves.succeed(*at, n=1, result="1", active_ms=1).one(field.connection)
    field.tell("it is done:", run["id"])


def answer(field: Field, run: Row) -> None:
    """Carry out the request on an executing run."""
    at, asked = (run["id"], run["epoch"], run["lease_worker"]), run["control_request"]
    if asked == "cancel":
        moves.cancel_executing(*at, active_ms=1, in_flight=None, stopped="edge").one(field.connection)
    elif asked == "pause":
        moves.pause_executing(*at, active_ms=1).one(field.connection)
    else:
        moves.park_for_window(*at, active_ms=1, window=run["control_reason"]).one(field.connection)
    field.tell(f"it answers a {asked}:", run["id"])


def _park(field: Field, run: Row, due_ms: int | None) -> None:
    wait = NewWait(f"w {new_id()}", "signal", {"signal": "go"}, due_ms=due_ms, on_due="timeout" if due_ms else None)
    moves.park(
        Verb.PAUSE_BY_AGENT, run["id"], run["epoch"], run["lease_worker"], inbox=run["inbox"], active_ms=1,
        reason=Reason.WAITING, waits=[wait],
    ).one(field.connection)  # fmt: skip
    field.tell(f"it parks{f' for {due_ms} ms' if due_ms else ''}:", run["id"])


def start_worker(field: Field, dice: Random) -> None:
    field.start(layout.worker(dice, dice.choice(list(field.layout.queues)), field.layout.agents))


def lose_worker(field: Field, dice: Random) -> None:
    """A worker is declared dead; the leader will recover its runs."""
    for worker in field.some(dice, field.offering()):
        workers.leave(worker["id"]).one(field.connection)
        field.tell("a worker dies")


def cut_off(field: Field, dice: Random) -> None:
    """A worker stops renewing its lease, or starts again."""
    known = sorted(field.workers)
    worker = dice.choice(known) if known else None
    if worker:
        field.silent ^= {worker}
        field.tell(f"a worker is {'silent' if worker in field.silent else 'heard again'}")


def drain(field: Field, dice: Random) -> None:
    """A worker takes nothing new and hands back its runs."""
    for worker in field.some(dice, field.offering()):
        workers.drain(worker["id"]).one(field.connection)
        field.tell("a worker drains")
        for run in [run for run in field.runs() if run["lease_worker"] == worker["id"]]:
            at = (run["id"], run["epoch"], run["lease_worker"])
            moves.release(*at, verb=Verb.HAND_BACK, reason=Reason.DRAINED).one(field.connection)
            field.tell("it hands back", run["id"])


def end(field: Field, run: Row) -> None:
    """Cancel a run that is not executing."""
    idle_ends.cancel_idle(field.connection, run["id"], run["tenant"], reason=Reason.BY_USER, by="ann", comment=None)


ACTIONS: dict[str, tuple[Action, int]] = {
    "accept": (accept, 12), "claim": (claim, 12), "work": (work, 12), "time_passes": (time_passes, 8), "wake": (wake, 5),
    "say_of_queue": (say_of_queue, 4), "say_of_agent": (say_of_agent, 2), "override": (override, 2), "pause": (pause, 3),
    "resume": (resume, 3), "cancel": (cancel, 2), "start_worker": (start_worker, 2), "lose_worker": (lose_worker, 1),
    "cut_off": (cut_off, 1), "drain": (drain, 1),
}  # fmt: skip
