"""A closed gate holds back its whole class, new and resumed runs alike; an open one holds back nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from models import control, gating, moves, windows
from models.bus import worker_channel
from models.gate import Standings, standing
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.window import Window
from scheduler import gates as gates_of
from scheduler.closing import Closing
from scheduler.gates import GateReader
from scheduler.promotion import Promotion
from tests.postgres.calls import claim
from tests.postgres.factory import AGENT, World
from tests.postgres.ground import Published, consuming
from tests.postgres.inside import Deaf

ALWAYS = {"cron": "0 * * * *", "duration_ms": 3_600_000, "timezone": "Europe/Berlin", "on_close": "finish", "by": "ann"}


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
def promotion(published: Published, monkeypatch: pytest.MonkeyPatch) -> Promotion:
    monkeypatch.setattr(gates_of, "FRESH_SECONDS", 0.0)  # what a test just wrote is seen by its next step
    return Promotion(published, GateReader(), fill_s=0)


def put(world: World, name: str, *, is_open: bool = True, **fields: Any) -> None:
    kind = "window" if is_open else "blackout"
    assert windows.put(name, **{**ALWAYS, "kind": kind, **fields}).one(world.connection)


def turn(world: World, name: str, state: str, seconds: float = 60) -> None:
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    assert windows.override(name, state=state, until=until, by="ann", reason="test").one(world.connection)


def promoted(world: World, promotion: Promotion, published: Published) -> set[UUID]:
    promotion.step(world.connection)
    return set(published.take())


@pytest.mark.parametrize("situation", ["queued", "ready"])
def test_a_run_of_a_closed_window_waits_new_or_resumed_and_others_pass_it(
    own_world: World, promotion: Promotion, published: Published, situation: str
) -> None:
    worker = consuming(own_world, slots=8)
    put(own_world, "night", is_open=False)
    put(own_world, "day")
    held = own_world.run(situation, worker=worker, window_name="night", priority=9)
    free = own_world.run(situation, worker=worker)
    by_day = own_world.run(situation, worker=worker, window_name="day")

    assert promoted(own_world, promotion, published) == {free.id, by_day.id}
    before = own_world.row(held.id)
    assert promoted(own_world, promotion, published) == set()
    assert own_world.row(held.id) == before, "nothing is written about a run that is held back"

    turn(own_world, "night", "open")
    assert promoted(own_world, promotion, published) == {held.id}


@pytest.mark.parametrize("kind", ["queue", "agent"])
@pytest.mark.parametrize("how", ["window", "paused"])
def test_a_queue_or_an_agent_is_held_back_as_a_whole(
    own_world: World, promotion: Promotion, published: Published, kind: Any, how: str
) -> None:
    worker = consuming(own_world, slots=8, agents=[AGENT, "other"])
    consuming(own_world, queue="elsewhere", agents=[AGENT, "other"])
    for agent in (AGENT, "other"):
        own_world.insert("agent", {"name": agent, "queue": "default", "version": "1", "input_schema": "{}"})
    put(own_world, "night", is_open=False)
    runs = {
        (queue, agent): own_world.run("queued", worker=worker, queue=queue, agent=agent).id
        for queue in ("default", "elsewhere")
        for agent in (AGENT, "other")
    }
    name = "default" if kind == "queue" else AGENT
    asked = {"window": "night"} if how == "window" else {"paused": True}
    assert gating.change(kind, name, asked).one(own_world.connection)

    gated = {run for place, run in runs.items() if name in place}
    assert promoted(own_world, promotion, published) == set(runs.values()) - gated
    lifted = {"window": None} if how == "window" else {"paused": False}
    assert gating.change(kind, name, lifted).one(own_world.connection)
    assert promoted(own_world, promotion, published) == gated


def test_a_run_goes_only_while_all_of_its_windows_are_open(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    worker = consuming(own_world)
    for name in ("of the queue", "of the run"):
        put(own_world, name)
    assert gating.change("queue", "default", {"window": "of the queue"}).one(own_world.connection)
    made = own_world.run("queued", worker=worker, window_name="of the run")
    turn(own_world, "of the queue", "closed")
    assert promoted(own_world, promotion, published) == set()
    turn(own_world, "of the queue", "open")
    turn(own_world, "of the run", "closed")
    assert promoted(own_world, promotion, published) == set()
    turn(own_world, "of the run", "open")
    assert promoted(own_world, promotion, published) == {made.id}


def test_a_ticket_whose_window_closed_is_withdrawn_and_comes_again_with_another_epoch(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    worker = consuming(own_world)
    put(own_world, "night")
    made, other = own_world.run("queued", worker=worker, window_name="night"), own_world.run("queued", worker=worker)
    assert promoted(own_world, promotion, published) == {made.id, other.id}
    ticket = own_world.row(made.id)

    turn(own_world, "night", "closed")
    Closing(GateReader(), Deaf()).step(own_world.connection)

    row = own_world.row(made.id)
    assert (row["ticket_at"], row["epoch"], row["status"]) == (None, ticket["epoch"], "QUEUED")
    assert own_world.row(other.id)["ticket_at"] is not None
    made_then = made.__class__(made.id, ticket["epoch"], worker)
    assert claim(made_then).one(own_world.connection) is None, "the ticket that is still under way is worth nothing"
    assert len(own_world.events(made.id)) == 1, "and nothing is said of it"
    turn(own_world, "night", "open")
    assert promoted(own_world, promotion, published) == {made.id}
    assert own_world.row(made.id)["epoch"] == ticket["epoch"] + 1


def test_an_executing_run_is_left_alone_when_its_window_closes(own_world: World) -> None:
    put(own_world, "night", is_open=False)
    made = own_world.run("executing", window_name="night")
    before = own_world.row(made.id)
    Closing(GateReader(), Deaf()).step(own_world.connection)
    assert own_world.row(made.id) == before


class Night:
    """A run that a worker executes while its window, which pauses what it gates, closes."""

    def __init__(self, world: World, by: str = "run") -> None:
        self.world, self.bus = world, Deaf()
        self.closing = Closing(GateReader(), self.bus)
        put(world, "night", is_open=False, on_close="pause")
        worker = consuming(world)
        named = {"window_name": "night"} if by == "run" else {}
        self.made, self.other = (
            world.run("executing", worker=worker, **named),
            world.run("executing", queue="elsewhere"),
        )
        world.insert("agent", {"name": AGENT, "queue": "default", "version": "1", "input_schema": "{}"})
        if by != "run":
            name = {"queue": "default", "agent": AGENT}[by]
            assert gating.change(by, name, {"window": "night"}).one(world.connection)  # type: ignore[arg-type]

    def step(self) -> dict[str, Any]:
        self.closing.step(self.world.connection)
        return self.world.row(self.made.id)

    def park(self) -> dict[str, Any] | None:
        made = self.made
        park = moves.park_for_window(made.id, made.epoch, made.worker, active_ms=1, window="night")
        return park.one(self.world.connection)

    def open(self) -> None:
        turn(self.world, "night", "open")


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates_of, "FRESH_SECONDS", 0.0)


@pytest.mark.parametrize("by", ["run", "queue", "agent"])
@pytest.mark.usefixtures("fresh")
def test_a_window_that_pauses_parks_what_executes_and_wakes_it_when_it_opens(own_world: World, by: str) -> None:
    night = Night(own_world, by)
    row = night.step()
    assert (row["control_request"], row["control_reason"], row["status"]) == ("window", "night", "RUNNING")
    assert own_world.row(night.other.id)["control_request"] == ("window" if by == "agent" else None)
    assert night.bus.woken[0][0] == worker_channel(night.made.worker)

    parked = night.park()
    assert parked is not None
    assert (parked["verb"], parked["reason"], parked["status"]) == ("pause_by_agent", "window_closed", "PAUSED")
    assert [wait["kind"] for wait in parked["data"]["waits"]] == ["window"]
    row = night.step()
    assert (row["pause_kind"], row["lease_worker"], row["control_request"], row["ready_at"]) == (
        "agent",
        None,
        None,
        None,
    )

    night.open()
    row = night.step()
    assert (row["status"], row["reason"], row["resumed"], row["ready_at"] is None) == (
        "RUNNING", "window_opened", True, False,
    )  # fmt: skip
    assert [event["verb"] for event in own_world.events(night.made.id)][-2:] == ["pause_by_agent", "resume"]
    assert night.step() == row, "once is enough"


@pytest.mark.usefixtures("fresh")
def test_a_window_that_opens_before_the_run_came_to_its_edge_asks_for_nothing_any_more(own_world: World) -> None:
    night = Night(own_world)
    night.step()
    night.open()
    assert night.step()["control_request"] is None
    assert night.park() is None


@pytest.mark.usefixtures("fresh")
def test_a_cancel_and_a_pause_take_the_place_of_a_window_that_closed_and_keep_it(own_world: World) -> None:
    night = Night(own_world)
    run = night.made.id
    night.step()
    assert control.request_pause(run, by="ann", comment="lunch").one(own_world.connection)
    assert night.step()["control_request"] == "pause"
    assert night.park() is None
    cancel = control.request_cancel(run, "acme", by="ann", comment=None, grace_ms=1000)
    assert cancel.one(own_world.connection)
    assert night.step()["control_request"] == "cancel"


@pytest.mark.parametrize("how", ["hand_back", "wait"])
@pytest.mark.usefixtures("fresh")
def test_whatever_else_ends_the_activation_answers_the_window_too(own_world: World, how: str) -> None:
    night = Night(own_world)
    night.step()
    at = (night.made.id, night.made.epoch, night.made.worker)
    if how == "wait":
        wait = [NewWait("a", "signal", {"signal": "go"})]
        ended = moves.park(Verb.PAUSE_BY_AGENT, *at, inbox=0, active_ms=1, reason=Reason.WAITING, waits=wait)
    else:
        ended = moves.release(*at, verb=Verb.HAND_BACK, reason=Reason.DRAINED)
    assert ended.one(own_world.connection)
    row = night.step()
    assert (row["control_request"], row["control_reason"], row["ticket_at"]) == (None, None, None)
    assert row["reason"] == ("waiting" if how == "wait" else "drained")


@pytest.mark.usefixtures("fresh")
def test_a_run_that_a_user_wants_paused_is_paused_by_the_user_when_its_window_opens(own_world: World) -> None:
    night = Night(own_world)
    night.step()
    assert night.park()
    assert control.request_pause(night.made.id, by="ann", comment=None).one(own_world.connection)
    night.open()
    row = night.step()
    assert (row["status"], row["pause_kind"], row["control_request"]) == ("PAUSED", "user", None)
    assert [event["verb"] for event in own_world.events(night.made.id)][-3:] == [
        "pause_by_agent", "resume", "pause_by_user",
    ]  # fmt: skip


@pytest.mark.usefixtures("fresh")
def test_what_waits_for_a_window_that_was_deleted_goes_on(own_world: World) -> None:
    night = Night(own_world)
    night.step()
    assert night.park()
    assert windows.delete("night", by="ann").one(own_world.connection)
    assert night.step()["reason"] == "window_opened"


def test_the_moment_at_which_a_window_closes_is_seen_without_reading_it_again(own_world: World) -> None:
    put(own_world, "night")
    turn(own_world, "night", "closed", seconds=0.15)
    reader = GateReader()
    gates = reader.read(own_world.connection)
    assert gates.closed == {"night"}
    assert 0 < gates.changes_in <= 0.15
    own_world.connection.execute('DELETE FROM "window"')  # whoever reads again would see nothing at all
    while not (later := reader.read(own_world.connection)).open and later.closed:
        pass
    assert later.open == ("night",)


def test_a_window_whose_zone_this_machine_does_not_know_is_closed(
    own_world: World, promotion: Promotion, published: Published
) -> None:
    put(own_world, "night", timezone="Europe/Atlantis")
    own_world.run("queued", worker=consuming(own_world), window_name="night")
    assert promoted(own_world, promotion, published) == set()


def test_what_people_do_to_a_window_is_noted_with_their_name(own_world: World) -> None:
    put(own_world, "night")
    turn(own_world, "night", "closed")
    assert windows.end_override("night", by="bob").one(own_world.connection)
    assert windows.end_override("night", by="bob").one(own_world.connection) is None
    assert windows.delete("night", by="cay").one(own_world.connection)
    rows = own_world.connection.execute("SELECT * FROM window_change ORDER BY id").fetchall()
    assert [(row["by"], row["change"]) for row in rows] == [
        ("ann", "put"), ("ann", "override"), ("bob", "override_ended"), ("cay", "deleted"),
    ]  # fmt: skip
    assert (rows[1]["data"]["state"], rows[1]["data"]["reason"]) == ("closed", "test")
    assert rows[1]["data"]["until"]


def test_a_window_is_not_deleted_while_a_run_is_being_accepted_for_it(own_world: World, database_url: str) -> None:

    put(own_world, "night")
    with psycopg.connect(database_url) as accepting, psycopg.connect(database_url, autocommit=True) as deleting:
        assert windows.hold(["night"]).all(accepting)
        deleting.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            windows.delete("night", by="ann").one(deleting)


def window(**fields: Any) -> Window:
    given = {
        "name": "w",
        "cron": "0 22 * * *",
        "timezone": "UTC",
        "duration_ms": 8 * 3_600_000,
        "kind": "window",
        **fields,
    }
    return Window(**given)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("state", "override_until", "moment", "is_open", "until"),
    [
        ("open", "2026-11-26T12:00Z", "2026-11-26T10:00Z", True, "2026-11-26T12:00Z"),
        (
            "open",
            "2026-11-26T23:00Z",
            "2026-11-26T10:00Z",
            True,
            "2026-11-27T06:00Z",
        ),  # it ends while the night is open
        ("closed", "2026-11-26T23:00Z", "2026-11-26T22:30Z", False, "2026-11-26T23:00Z"),
        ("closed", "2026-11-26T12:00Z", "2026-11-26T10:00Z", False, "2026-11-26T22:00Z"),
        ("closed", "2026-11-26T23:00Z", "2026-11-26T23:00Z", True, "2026-11-27T06:00Z"),  # it is over
    ],
)
def test_an_override_holds_until_its_end_and_is_joined_with_what_the_timetable_says_then(
    state: str, override_until: str, moment: str, is_open: bool, until: str
) -> None:
    overridden = window(override=state, override_until=at(override_until), override_by="ann")
    for stands in (standing(overridden, at(moment)), Standings().of(overridden, at(moment))):
        assert (stands.open, stands.until) == (is_open, at(until))


def test_what_was_worked_out_is_used_until_its_time_is_over_or_the_window_is_changed() -> None:
    kept = Standings()
    first = kept.of(window(), at("2026-11-26T21:00Z"))
    assert not first.open
    assert kept.of(window(), at("2026-11-26T21:59:59Z")) is first
    assert kept.of(window(), at("2026-11-26T22:00Z")).open
    assert not kept.of(window(cron="0 23 * * *"), at("2026-11-26T22:00Z")).open
