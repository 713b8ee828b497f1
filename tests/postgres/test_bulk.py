"""What is asked to be done to many runs is done to each that is meant, once, whoever leads and whoever is in the way."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest

from models import bulks, moves, steering
from models.bulks import Action
from models.bus import PROMOTE, Bus, worker_channel
from models.database import set_up
from models.ids import new_id
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.wanted import Label, Wanted
from scheduler import bulk, errand
from scheduler.bulk import Bulks
from scheduler.errand import Errand
from scheduler.housekeeping import Housekeeping
from tests.postgres.duel import Connection
from tests.postgres.factory import SITUATIONS, TENANT, Made, World
from tests.postgres.inside import Deaf

Connect = Callable[[], Connection]
KEY = new_id()


@pytest.fixture
def agent(world: World) -> str:
    """Give the name of an agent that only the runs of this test have."""
    return f"agent-{new_id()}"


@pytest.fixture(autouse=True)
def no_operations_of_others(world: World) -> Iterator[None]:
    yield
    world.connection.execute("DELETE FROM bulk")


def _ask(world: World, action: str, agent: str, **more: Any) -> UUID:
    wanted = Wanted(TENANT, agent=agent, **more)
    counted = bulks.count(Action(action), wanted).one(world.connection)
    assert counted
    row = bulks.start(Action(action), wanted, by="ann", created_by=KEY, matched=counted["matched"]).one(
        world.connection
    )
    assert row
    return cast(UUID, row["id"])


def _stands(world: World, asked: UUID) -> dict[str, Any]:
    row = world.connection.execute("SELECT * FROM bulk WHERE id = %s", [asked]).fetchone()
    assert row
    return row


def _came_to(world: World, asked: UUID) -> tuple[int, int, int, bool]:
    row = _stands(world, asked)
    return row["done"], row["skipped"], row["failed"], row["finished_at"] is not None


def _duty(bus: Deaf | None = None) -> Bulks:
    return Bulks(cast(Bus, bus or Deaf()), 1.0)


def _turns(connection: Connection, bus: Deaf | None = None, turns: int = 60) -> None:
    """Carry out what there is as a new leader does."""
    duty = _duty(bus)
    for _ in range(turns):
        duty._next = 0.0
        duty.step(connection)


def _many(world: World, agent: str, count: int, status: str = "QUEUED") -> list[UUID]:
    ids = [new_id() for _ in range(count)]
    world.connection.execute(
        """
        INSERT INTO run (id, tenant, agent, queue, status, ready_at, finished_at, seq)
        SELECT id, %(tenant)s, %(agent)s, 'default', %(status)s, CASE %(status)s WHEN 'QUEUED' THEN now() END,
            CASE %(status)s WHEN 'QUEUED' THEN NULL ELSE now() END, 1 FROM unnest(%(ids)s::uuid[]) AS id
        """,
        {"tenant": TENANT, "agent": agent, "status": status, "ids": ids},
    )
    world.connection.execute(
        "INSERT INTO payload (run_id, tenant, input) SELECT id, tenant, '{}' FROM run WHERE id = ANY(%s)", [ids]
    )
    return ids


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
            done = steering.cancel(connection, run, TENANT, by="ann", comment=None, grace_ms=1)
        case "pause":
            done = steering.pause(connection, run, TENANT, by="ann", comment=None) or steering.Steered()
        case "resume":
            done = steering.resume(connection, run, TENANT, by="ann") or steering.Steered()
        case _:
            done = steering.retry(connection, run, TENANT, created_by=KEY)
    return done.did


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
@pytest.mark.parametrize("situation", [*SITUATIONS, "parked for its code", "paused itself", "waiting for a signal"])
def test_it_counts_just_the_runs_to_which_the_call_for_one_would_do_something(
    world: World, agent: str, situation: str, action: str
) -> None:
    kinds = {"parked for its code": "code", "paused itself": "user", "waiting for a signal": "signal"}
    made = world.run("executing" if situation in kinds else situation, agent=agent)
    if situation in kinds:
        _park(world, made, kinds[situation])
    counted = bulks.count(Action(action), Wanted(TENANT, agent=agent)).one(world.connection)
    assert counted
    did = _steer(world, action, made.id)
    if (situation, action) == ("succeeded", "retry"):
        assert (counted["matched"], did) == (0, True), "one alone may be tried again; many are not by mistake"
    else:
        assert bool(counted["matched"]) == did


def test_every_run_that_is_meant_is_canceled_as_if_it_were_alone(world: World, agent: str) -> None:
    idle, executing = world.run("paused for approval", agent=agent), world.run("executing", agent=agent)
    ended, other = world.run("failed", agent=agent), world.run("queued", agent=agent, tenant="other")
    promoted, bus = world.run("promoted", agent=agent), Deaf()
    before = [world.whole(made.id) for made in (ended, other)]
    asked = _ask(world, "cancel", agent)
    assert _stands(world, asked)["matched"] == 3
    _turns(world.connection, bus)

    assert _came_to(world, asked) == (3, 0, 0, True)
    for made in (idle, promoted):
        row, end = world.row(made.id), world.events(made.id)[-1]
        assert (row["status"], row["reason"], row["ticket_at"]) == ("CANCELED", "by_user", None)
        assert (end["type"], end["data"]["by"]) == ("end", "ann")
    row = world.row(executing.id)
    assert (row["control_request"], row["control_by"], row["control_grace_ms"]) == ("cancel", "ann", 1000)
    assert [world.whole(made.id) for made in (ended, other)] == before
    assert {message["runId"] for _, message in bus.said} == {str(idle.id), str(promoted.id)}
    assert (worker_channel(executing.worker), "") in bus.woken
    assert (PROMOTE, "default") in bus.woken


def test_runs_are_paused_and_go_on_again(world: World, agent: str) -> None:
    queued, ready, parked = (world.run(name, agent=agent) for name in ("queued", "ready", "paused for approval"))
    waiting = world.run("executing", agent=agent)
    _park(world, waiting, "code")
    pause = _ask(world, "pause", agent)
    _turns(world.connection)
    assert _came_to(world, pause) == (4, 0, 0, True)
    assert [world.row(made.id)["control_request"] for made in (queued, ready, parked)] == ["pause", None, "pause"]
    assert world.row(ready.id)["pause_kind"] == "user"
    resume = _ask(world, "resume", agent)
    _turns(world.connection)
    assert _came_to(world, resume) == (4, 0, 0, True)
    assert [world.row(made.id)["status"] for made in (queued, ready, parked, waiting)] == [
        "QUEUED", "RUNNING", "PAUSED", "RUNNING",
    ]  # fmt: skip
    assert world.row(parked.id)["control_request"] is None


def test_runs_are_tried_again_once_each_with_what_went_well(world: World, agent: str) -> None:
    failed, canceled = world.run("failed", agent=agent), world.run("canceled", agent=agent)
    world.step(failed.id, "good", "succeeded", value='"kept"', started_at="now", finished_at="now", seq=2)
    world.run("succeeded", agent=agent)
    unknown = world.run("failed", agent=agent)
    world.step(unknown.id, "pay", "intended", started_at="now", seq=2)
    before = world.whole(failed.id)
    asked = _ask(world, "retry", agent)
    _turns(world.connection)

    assert _came_to(world, asked) == (2, 1, 0, True), "nobody knows what the step of one did"
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
    asked = _ask(world, "cancel", agent)
    later = world.run("queued", agent=agent)
    behind = UUID(int=there.id.int - 1)  # by the clock of a machine that is late
    world.insert(
        "run",
        {"id": behind, "tenant": TENANT, "agent": agent, "queue": "default"},
        ready_at="now()", created_at="clock_timestamp()",
    )  # fmt: skip
    _turns(world.connection)
    assert _came_to(world, asked) == (1, 0, 0, True)
    assert [world.row(run)["status"] for run in (there.id, later.id, behind)] == ["CANCELED", "QUEUED", "QUEUED"]


def test_a_run_that_started_since_it_was_found_is_not_canceled_with_the_queued_ones(
    world: World, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = world.run("promoted", agent=agent)
    world.run("queued", agent=agent)
    asked = _ask(world, "cancel", agent, status=["QUEUED"])
    act = Errand._act

    def claimed_first(self: Errand, connection: Connection, run: UUID, progress: Any) -> Any:
        if run == made.id:
            claim = moves.claim(run, made.epoch, made.worker, label="w", versions="{}", served=[agent])
            assert claim.one(world.connection)
        return act(self, connection, run, progress)

    monkeypatch.setattr(Errand, "_act", claimed_first)
    _turns(world.connection)
    assert _came_to(world, asked) == (1, 1, 0, True)
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
    asked = _ask(world, "cancel", agent, category="processing", created_before=created, **where)
    _turns(world.connection)
    assert _came_to(world, asked) == (0, 0, 0, True)
    asked = _ask(world, "cancel", agent, category="processing", **where)
    assert _stands(world, asked)["matched"] == 1
    _turns(world.connection)
    assert [world.row(made.id)["status"] for made in (both, one, none)] == ["CANCELED", "QUEUED", "QUEUED"]


def test_more_runs_than_a_page_are_all_come_to_and_each_has_one_end(world: World, agent: str) -> None:
    count = 2 * errand.PAGE + 7
    _many(world, agent, count)
    asked = _ask(world, "cancel", agent)
    duty, turns, longest = _duty(), 0, 0.0
    while not _stands(world, asked)["finished_at"]:
        duty._next, began = 0.0, time.monotonic()
        duty.step(world.connection)
        turns, longest = turns + 1, max(longest, time.monotonic() - began)
    assert _came_to(world, asked) == (count, 0, 0, True)
    ends = world.connection.execute(
        "SELECT count(*) AS n FROM event JOIN run ON run.id = run_id WHERE agent = %s AND type = 'end'", [agent]
    ).fetchone()
    assert ends == {"n": count}
    assert turns > 5, f"it gave way to promotion; the longest of {turns} turns took {longest:.3f} s"


# ------------------------------------------------------------------------------------------------------- leaders and others
def test_a_leader_that_dies_in_the_middle_leaves_the_rest_to_the_next(
    world: World, connect: Connect, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [world.run("failed", agent=agent) for _ in range(4)]
    asked = _ask(world, "retry", agent)
    monkeypatch.setattr(bulk, "TURN_SECONDS", 0.0)
    _until_done(world.connection, asked, 1)
    dying = connect()
    dying.execute("BEGIN")
    _until_done(dying, asked, 2)
    dying.close()
    assert _stands(world, asked)["done"] == 1
    _turns(world.connection)
    assert _came_to(world, asked) == (4, 0, 0, True)
    assert _retries(world, agent) == sorted(one.id for one in made)


def _until_done(connection: Connection, asked: UUID, count: int) -> None:
    """Take the shortest turns until just so many runs were acted on."""
    while connection.execute("SELECT done FROM bulk WHERE id = %s", [asked]).fetchone() != {"done": count}:
        _duty().step(connection)


def _retries(world: World, agent: str) -> list[UUID]:
    sql = "SELECT retry_of FROM run WHERE agent = %s AND retry_of IS NOT NULL ORDER BY retry_of"
    return [row["retry_of"] for row in world.connection.execute(sql, [agent]).fetchall()]


def test_of_two_leaders_at_once_the_later_does_nothing_that_was_done(
    world: World, connect: Connect, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [world.run("failed", agent=agent) for _ in range(3)]
    asked = _ask(world, "retry", agent)
    frozen, late, told = connect(), _stands(world, asked), list[Any]()
    late["reached"] = UUID(int=made[0].id.int - 1)  # it was about to act on the first
    monkeypatch.setattr(bulk, "TURN_SECONDS", 0.0)
    _until_done(world.connection, asked, 2)
    Errand(late, lambda *more: told.append(more), 1).go_on(frozen, late, time.monotonic() + 10)
    assert (_came_to(world, asked), told) == ((2, 0, 0, False), [])
    _turns(world.connection)
    assert _came_to(world, asked) == (3, 0, 0, True)
    assert _retries(world, agent) == sorted(one.id for one in made)


def test_a_run_that_somebody_decides_about_is_come_back_to_and_nobody_waits_for_it(
    world: World, connect: Connect, agent: str
) -> None:
    busy, idle, holder = world.run("queued", agent=agent), world.run("queued", agent=agent), connect()
    holder.execute("BEGIN")
    holder.execute("SELECT FROM run WHERE id = %s FOR UPDATE", [busy.id])
    asked = _ask(world, "cancel", agent)
    began = time.monotonic()
    _turns(world.connection)
    assert time.monotonic() - began < 5
    assert (world.row(busy.id)["status"], world.row(idle.id)["status"]) == ("QUEUED", "CANCELED")
    row = _stands(world, asked)
    assert (row["done"], row["behind"], row["finished_at"]) == (1, [busy.id], None)
    assert row["version"] < 10, "what waits for others writes nothing"
    holder.execute("COMMIT")
    _turns(world.connection)
    assert (world.row(busy.id)["status"], _came_to(world, asked)) == ("CANCELED", (2, 0, 0, True))


def test_when_many_are_held_by_others_these_come_first(world: World, connect: Connect, agent: str) -> None:
    held, holder = _many(world, agent, errand.MOST_BEHIND), connect()
    [free] = _many(world, agent, 1)
    holder.execute("BEGIN")
    holder.execute("SELECT FROM run WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [held])
    asked = _ask(world, "cancel", agent)
    _turns(world.connection)
    assert (world.row(free)["status"], len(_stands(world, asked)["behind"])) == ("QUEUED", errand.MOST_BEHIND)
    holder.execute("COMMIT")
    _turns(world.connection)
    assert _came_to(world, asked) == (errand.MOST_BEHIND + 1, 0, 0, True)


def test_one_run_that_cannot_be_done_holds_up_no_other(
    world: World, agent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(errand, "fact", lambda name, **_: said.append(name))
    broken, sound = world.run("failed", agent=agent), world.run("failed", agent=agent)
    world.connection.execute("UPDATE payload SET input = '{}', result = NULL WHERE run_id = %s", [broken.id])
    retry = steering.retry

    def fails(connection: Any, run: UUID, *args: Any, **more: Any) -> Any:
        done = retry(connection, run, *args, **more)
        if run == broken.id:
            connection.execute("INSERT INTO payload (run_id, tenant, input) VALUES (%s, 'x', '{}')", [run])
        return done

    monkeypatch.setattr(steering, "retry", fails)
    asked = _ask(world, "retry", agent)
    _turns(world.connection)
    assert _came_to(world, asked) == (1, 0, 1, True)
    assert (_retries(world, agent), said) == ([sound.id], ["bulk.run_failed", "bulk.finished"])


def test_a_lost_session_ends_the_duty_and_counts_nothing(world: World, connect: Connect, agent: str) -> None:
    world.run("queued", agent=agent)
    asked, lost = _ask(world, "cancel", agent), connect()
    world.connection.execute("SELECT pg_terminate_backend(%s)", [lost.info.backend_pid])
    with pytest.raises(psycopg.Error):
        _duty().step(lost)
    assert _came_to(world, asked) == (0, 0, 0, False)


def test_operations_take_turns(world: World, agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        _many(world, f"{agent}-{n}", 3)
    asked = [_ask(world, "cancel", f"{agent}-{n}") for n in range(3)]
    monkeypatch.setattr(bulk, "TURN_SECONDS", 0.0)
    monkeypatch.setattr(bulk, "_UNDER_WAY", bulk._UNDER_WAY.replace(f"LIMIT {bulk.AT_ONCE}", "LIMIT 2"))
    came: list[list[int]] = []
    duty = _duty()
    while not all(_stands(world, one)["finished_at"] for one in asked):
        duty._next = 0.0
        duty.step(world.connection)
        came.append([_stands(world, one)["done"] for one in asked])
    assert came[-1] == [3, 3, 3]
    assert all(max(done) - min(done) <= 1 for done in came), "none goes ahead of the others"


def test_no_more_than_a_few_of_a_tenant_are_under_way(world: World, agent: str) -> None:
    wanted = Wanted(TENANT, agent=agent)
    asked = bulks.start(Action.CANCEL, wanted, by="ann", created_by=KEY, matched=0)
    rows = [
        bulks.start(Action.CANCEL, wanted, by="ann", created_by=KEY, matched=0).one(world.connection) for _ in range(12)
    ]
    assert sum(row is not None for row in rows) == bulks.MOST_OPEN
    _turns(world.connection)
    assert asked.one(world.connection)


def test_an_operation_without_any_run_is_over_at_once(world: World, agent: str) -> None:
    wanted = Wanted(f"tenant-{agent}", agent=agent)
    row = bulks.start(Action.CANCEL, wanted, by="ann", created_by=KEY, matched=0).one(world.connection)
    assert row
    _duty().step(world.connection)
    assert _came_to(world, row["id"]) == (0, 0, 0, True)


def test_the_record_of_what_is_over_is_forgotten_after_30_days(world: World, agent: str) -> None:
    old, young, open_one = (_ask(world, "cancel", agent) for _ in range(3))
    for asked, days in ((old, 31), (young, 29)):
        ended = "UPDATE bulk SET finished_at = now() - %s * interval '1 day' WHERE id = %s"
        world.connection.execute(ended, [days, asked])
    Housekeeping().step(world.connection)
    left = world.connection.execute("SELECT id FROM bulk ORDER BY id").fetchall()
    assert [row["id"] for row in left] == [young, open_one]


# ------------------------------------------------------------------------------------------------------------------- speed
@pytest.mark.parametrize("labels", [(), (Label("tag", "t"), Label("tag", "u"))])
@pytest.mark.parametrize("action", Action)
def test_the_next_runs_are_found_by_indexes_in_their_order(
    own_world: World, action: Action, labels: tuple[Label, ...]
) -> None:
    connection = own_world.connection
    set_up(connection)
    ids = _many(own_world, "a", 3000)
    connection.execute("INSERT INTO label (run_id, tenant, kind, name) SELECT id, tenant, 'tag', 't' FROM run")
    connection.execute("VACUUM ANALYZE")
    wanted = Wanted(TENANT, agent="a", labels=labels)
    row = bulks.start(action, wanted, by="ann", created_by=KEY, matched=0).one(connection)
    assert row
    one = Errand(row, lambda *_: None, 1)
    for sql, params in (
        (one._page, {"reached": ids[100], "until": row["until"]}), (one._lock, {"run": ids[0]}), (one._still, {"run": ids[0]}),
    ):  # fmt: skip
        plan = "\n".join(
            line["QUERY PLAN"] for line in connection.execute(f"EXPLAIN {sql}", {**one._params, **params}).fetchall()
        )
        assert "Seq Scan" not in plan, plan
        assert "hashed" not in plan, plan
        indexes = ("run_pkey", "run_tenant") if "run" in params else ("label_search",) if labels else ("run_tenant",)
        assert any(f"using {index}" in plan or f"Backward using {index}" in plan for index in indexes), plan
    assert "bulk_open" in str(connection.execute(f"EXPLAIN {bulk._UNDER_WAY}", {"last": row["id"]}).fetchall())


@pytest.mark.parametrize("labels", [(), (Label("tag", "t"),)])
def test_a_plan_that_is_made_on_the_first_day_reads_no_runs_of_others(
    own_world: World, labels: tuple[Label, ...]
) -> None:
    """A plan is kept, and still used when the tables have grown: among ten runs any index would do."""
    connection = own_world.connection
    set_up(connection)
    _many(own_world, "a", 10)
    connection.execute("INSERT INTO label (run_id, tenant, kind, name) SELECT id, tenant, 'tag', 't' FROM run")
    connection.execute("VACUUM ANALYZE")
    row = bulks.start(Action.RESUME, Wanted(TENANT, agent="a", labels=labels), by="a", created_by=KEY, matched=0).one(
        connection
    )
    assert row
    one = Errand(row, lambda *_: None, 1)
    names = [*one._params, "reached", "until"]
    sql = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", one._page)
    plan = "\n".join(line["QUERY PLAN"] for line in connection.execute(f"EXPLAIN (GENERIC_PLAN) {sql}").fetchall())
    assert ("using label_search" if labels else "using run_tenant") in plan, plan
    assert "hashed" not in plan, plan
    assert "wait_one_open_per_key" in plan or "wait_run" in plan, plan


def test_a_waiting_run_keeps_its_waits_when_it_is_not_resumed(world: World, agent: str) -> None:
    made = world.run("executing", agent=agent)
    _park(world, made, "signal")
    asked = _ask(world, "resume", agent)
    before = world.whole(made.id)
    _turns(world.connection)
    assert (_came_to(world, asked), world.whole(made.id)) == ((0, 0, 0, True), before)
