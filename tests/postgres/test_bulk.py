"""A bulk operation does to each run of its filter what the call for that run alone would do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from models import moves
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.operations import bulk, commands
from models.operations.bulk import Action
from models.runs.run_filter import Label, RunFilter
from scheduler.duties.bulk_operation import BulkOperation
from tests.postgres.bulking import KEY, ask, came_to, run_state, turns
from tests.postgres.calls import fence
from tests.postgres.duel import Connection
from tests.postgres.factory import SITUATIONS, TENANT, Made, World
from tests.postgres.opening import open_waits

Connect = Callable[[], Connection]
ASKING = ("executing", "pausing", "closing", "canceling")
pytestmark = pytest.mark.usefixtures("no_operations_of_others")


def _park(world: World, made: Made, kind: str) -> None:
    at = (made.id, made.epoch, made.worker)
    opened = [NewWait("w", kind)]
    assert moves.park(Verb.PAUSE_BY_AGENT, *at, inbox=0, active_ms=1, reason=Reason.WAITING, waits=opened).one(
        world.connection
    )


def _steer(world: World, action: str, run: UUID) -> bool:
    connection = world.connection
    match action:
        case "cancel":
            done = commands.cancel(connection, run, TENANT, by="ann", comment=None, grace_ms=1)
        case "pause":
            done = commands.pause(connection, run, TENANT, by="ann", comment=None) or commands.CommandResult()
        case "resume":
            done = commands.resume(connection, run, TENANT, by="ann") or commands.CommandResult()
        case _:
            done = commands.retry(connection, run, TENANT, created_by=KEY)
    return done.did


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
@pytest.mark.parametrize(
    "situation",
    [
        *SITUATIONS,
        "parked for its code",
        "paused itself",
        "waiting for a signal",
        *(f"{name}, asking" for name in ASKING),
    ],
)
def test_it_counts_just_the_runs_to_which_the_call_for_one_would_do_something(
    world: World, agent: str, situation: str, action: str
) -> None:
    kinds = {"parked for its code": "code", "paused itself": "user", "waiting for a signal": "signal"}
    asking = situation.endswith(", asking")
    made = world.run("executing" if situation in kinds else situation.removesuffix(", asking"), agent=agent)
    if situation in kinds:
        _park(world, made, kinds[situation])
    if asking:
        assert open_waits(world.connection, fence(made), [NewWait("pause", "user")])
    counted = bulk.count(world.connection, Action(action), RunFilter(TENANT, agent=agent))
    assert counted
    did = _steer(world, action, made.id)
    if (situation, action) == ("succeeded", "retry"):
        assert (counted.matched, did) == (0, True), "one alone may be tried again; many are not by mistake"
    else:
        assert bool(counted.matched) == did


def test_every_run_that_is_meant_is_canceled_as_if_it_were_alone(world: World, agent: str) -> None:
    idle, executing = world.run("paused for approval", agent=agent), world.run("executing", agent=agent)
    ended, other = world.run("failed", agent=agent), world.run("queued", agent=agent, tenant="other")
    promoted = world.run("promoted", agent=agent)
    before = [world.whole(made.id) for made in (ended, other)]
    asked = ask(world, "cancel", agent)
    assert run_state(world, asked)["matched"] == 3
    done = turns(world.connection)

    assert came_to(world, asked) == (3, 0, 0, True)
    for made in (idle, promoted):
        row, end = world.row(made.id), world.events(made.id)[-1]
        assert (row["status"], row["reason"], row["ticket_at"]) == ("CANCELED", "by_user", None)
        assert (end["type"], end["data"]["by"]) == ("end", "ann")
    row = world.row(executing.id)
    assert (row["control_request"], row["control_by"], row["control_grace_ms"]) == ("cancel", "ann", 1000)
    assert [world.whole(made.id) for made in (ended, other)] == before
    assert {event.run_id for event in done.events} == {idle.id, promoted.id}
    assert executing.worker in done.workers
    assert "default" in done.queues


def test_runs_are_paused_and_go_on_again(world: World, agent: str) -> None:
    queued, ready, parked = (world.run(name, agent=agent) for name in ("queued", "ready", "paused for approval"))
    waiting = world.run("executing", agent=agent)
    _park(world, waiting, "code")
    pause = ask(world, "pause", agent)
    turns(world.connection)
    assert came_to(world, pause) == (4, 0, 0, True)
    assert [world.row(made.id)["control_request"] for made in (queued, ready, parked)] == ["pause", None, "pause"]
    assert world.row(ready.id)["pause_kind"] == "user"
    resume = ask(world, "resume", agent)
    turns(world.connection)
    assert came_to(world, resume) == (4, 0, 0, True)
    assert [world.row(made.id)["status"] for made in (queued, ready, parked, waiting)] == [
        "QUEUED", "RUNNING", "PAUSED", "RUNNING",
    ]  # fmt: skip
    assert world.row(parked.id)["control_request"] is None


def test_a_run_that_executes_while_its_agent_pauses_is_resumed_and_its_worker_woken(world: World, agent: str) -> None:
    made = world.run("executing", agent=agent)
    assert open_waits(world.connection, fence(made), [NewWait("pause", "user")])
    resume = ask(world, "resume", agent)
    done = turns(world.connection)
    assert came_to(world, resume) == (1, 0, 0, True)
    assert world.row(made.id)["status"] == "RUNNING"
    assert made.worker in done.workers


def test_runs_are_tried_again_once_each_with_what_went_well(world: World, agent: str) -> None:
    failed, canceled = world.run("failed", agent=agent), world.run("canceled", agent=agent)
    world.step(failed.id, "good", "succeeded", value='"kept"', started_at="now", finished_at="now", seq=2)
    world.run("succeeded", agent=agent)
    unknown = world.run("failed", agent=agent)
    world.step(unknown.id, "pay", "intended", started_at="now", seq=2)
    before = world.whole(failed.id)
    asked = ask(world, "retry", agent)
    turns(world.connection)

    assert came_to(world, asked) == (2, 1, 0, True), "nobody knows what the step of one did"
    made = world.connection.execute("SELECT * FROM run WHERE retry_of IS NOT NULL AND agent = %s", [agent]).fetchall()
    assert sorted(run["retry_of"] for run in made) == sorted([failed.id, canceled.id])
    assert {run["created_by"] for run in made} == {KEY}
    kept = world.connection.execute(
        "SELECT step.key FROM step JOIN run ON run.id = run_id WHERE retry_of = %s", [failed.id]
    ).fetchall()
    assert kept == [{"key": "good"}]
    assert world.whole(failed.id) == before


# ------------------------------------------------------------------------------------------------------------ what is meant
def test_only_runs_that_there_were_at_the_time_of_the_call_are_touched(world: World, agent: str) -> None:
    there = world.run("queued", agent=agent)
    asked = ask(world, "cancel", agent)
    later = world.run("queued", agent=agent)
    behind = UUID(int=there.id.int - 1)  # by the clock of a machine that is late
    world.insert(
        "run",
        {"id": behind, "tenant": TENANT, "agent": agent, "queue": "default"},
        ready_at="now()", created_at="clock_timestamp()",
    )  # fmt: skip
    turns(world.connection)
    assert came_to(world, asked) == (1, 0, 0, True)
    assert [world.row(run)["status"] for run in (there.id, later.id, behind)] == ["CANCELED", "QUEUED", "QUEUED"]


def test_a_run_that_started_since_it_was_found_is_not_canceled_with_the_queued_ones(
    world: World, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world.run("promoted", agent=agent)
    world.run("queued", agent=agent)
    asked = ask(world, "cancel", agent, status=["QUEUED"])
    act = BulkOperation._act

    def claimed_first(self: BulkOperation, connection: Connection, run: UUID, progress: Any) -> Any:
        if run == made.id:
            claim = moves.claim(run, made.epoch, made.worker, label="w", versions="{}", served=[agent])
            assert claim.one(world.connection)
        return act(self, connection, run, progress)

    monkeypatch.setattr(BulkOperation, "_act", claimed_first)
    turns(world.connection)
    assert came_to(world, asked) == (1, 1, 0, True)
    row = world.row(made.id)
    assert (row["status"], row["control_request"]) == ("RUNNING", None)


def test_labels_and_all_other_criteria_narrow_it(world: World, agent: str) -> None:
    def labelled(**labels: str) -> Made:
        made = world.run("queued", agent=agent, user_id="u", queue="q")
        for name, value in labels.items():
            kind = "metadata" if value else "tag"
            values = {"run_id": made.id, "kind": kind, "name": name, "tenant": TENANT, "value": value}
            world.insert("label", values)
        return made

    both, one, none = labelled(nightly="", team="a"), labelled(nightly="", team="b"), labelled()
    where: dict[str, Any] = {
        "labels": [Label("tag", "nightly"), Label("metadata", "team", "a")],
        "user_id": "u",
        "queue": "q",
    }
    created = world.row(both.id)["created_at"]
    asked = ask(world, "cancel", agent, category="processing", created_before=created, **where)
    turns(world.connection)
    assert came_to(world, asked) == (0, 0, 0, True)
    asked = ask(world, "cancel", agent, category="processing", **where)
    assert run_state(world, asked)["matched"] == 1
    turns(world.connection)
    assert [world.row(made.id)["status"] for made in (both, one, none)] == ["CANCELED", "QUEUED", "QUEUED"]


def test_a_waiting_run_keeps_its_waits_when_it_is_not_resumed(world: World, agent: str) -> None:
    made = world.run("executing", agent=agent)
    _park(world, made, "signal")
    asked = ask(world, "resume", agent)
    before = world.whole(made.id)
    turns(world.connection)
    assert (came_to(world, asked), world.whole(made.id)) == ((0, 0, 0, True), before)
