"""A consent and a run that parks for it never miss each other; a message about another token never revokes a grant."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from models import moves
from models.authorization import grants
from models.authorization.grants import Given, Holder
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.runs import consents
from models.stored_event import StoredEvent
from models.waiting import waits
from models.waiting.park import Park
from models.waiting.questions import authorization
from models.waiting.wake import wake_run
from tests.postgres.duel import Connection, Waiting, until_blocked
from tests.postgres.factory import TENANT, Made, World
from tests.postgres.families import effects_on, target

Connect = Callable[[], Connection]
READ = ("read",)


def _holder() -> Holder:
    return Holder(TENANT, f"ann-{uuid4()}", "bank")


def _given(*scopes: str, refreshable: bool = True, expires_in: float | None = 3600) -> Given:
    return Given("v1.sealed", scopes, refreshable, expires_in)


def _wait(holder: Holder, *scopes: str, key: str = "a", on_deny: str = "fail") -> NewWait:
    request = {"provider": holder.provider, "subject": holder.subject, "scopes": list(scopes), "onDeny": on_deny}
    return authorization(key, request, 60_000, "timeout", holder)


def _park(made: Made, *opened: NewWait) -> Park:
    move = moves.park(
        Verb.REQUIRE_AUTHORIZATION, made.id, made.epoch, made.worker, inbox=0, active_ms=1,
        reason=Reason.AUTHORIZATION_NEEDED, waits=opened,
    )  # fmt: skip
    return Park(move, opened)


def _consent(connection: Connection, asked: UUID, holder: Holder, *scopes: str) -> list[StoredEvent]:
    """Store a consent as the API does, in the caller's transaction."""
    run_state = waits.lock_run(asked, holder.tenant).one(connection)
    assert run_state is not None
    grants.store(holder, _given(*scopes), World(connection).provider(holder.provider)).one(connection)
    grants.lock(holder.key).one(connection)
    grants.tell_others(connection, holder, asked)
    return wake_run(connection, run_state, waits.authorize(asked).all(connection))


def _fold(world: World, run: UUID) -> list[StoredEvent]:
    """Fold the outbox of a run, as the leading scheduler does."""
    rows = effects_on(world, run)
    if not rows:
        return []
    events = list(consents.hear(world.connection, target(world, run), []).events)
    world.connection.execute("DELETE FROM outbox WHERE target_run_id = %s", [run])
    return events


def _asking(world: World, holder: Holder, *scopes: str) -> Made:
    world.provider(holder.provider)
    made = world.run("executing")
    assert _park(made, _wait(holder, *scopes)).one(world.connection) is not None
    return made


def test_a_consent_that_comes_while_a_run_parks_finds_its_wait(world: World, connect: Connect) -> None:
    """The consent waits for the grant's lock, which the park holds; the wait is committed when it looks."""
    holder = _holder()
    asker, made = _asking(world, holder, *READ), world.run("executing")
    parking, consenting, watcher = connect(), connect(), connect()
    parking.execute("BEGIN")
    row = _park(made, _wait(holder, *READ)).one(parking)
    assert row is not None
    assert len(row.events) == 1

    consenting.execute("BEGIN")
    waiting = Waiting(consenting, lambda connection: _consent(connection, asker.id, holder, *READ))
    until_blocked(watcher, waiting.pid, parking.info.backend_pid)
    parking.execute("COMMIT")
    assert [event.verb for event in waiting.rows() if event.verb] == ["resume"]
    consenting.execute("COMMIT")

    assert [event.verb for event in _fold(world, made.id) if event.verb] == ["resume"]
    assert (world.row(made.id)["status"], world.row(asker.id)["status"]) == ("RUNNING", "RUNNING")


def test_a_run_that_parks_while_a_consent_is_taken_in_finds_the_grant(world: World, connect: Connect) -> None:
    """The park waits for the grant's lock, which the consent holds; the grant is committed when it looks."""
    holder = _holder()
    asker, made = _asking(world, holder, *READ), world.run("executing")
    parking, consenting, watcher = connect(), connect(), connect()
    consenting.execute("BEGIN")
    _consent(consenting, asker.id, holder, *READ)

    parking.execute("BEGIN")
    rows: list[StoredEvent] = []

    def park(connection: Connection) -> list[StoredEvent]:
        row = _park(made, _wait(holder, *READ)).one(connection)
        assert row is not None
        rows.extend(row.events[1:])
        return rows

    waiting = Waiting(parking, park)
    until_blocked(watcher, waiting.pid, consenting.info.backend_pid)
    consenting.execute("COMMIT")
    assert [event.verb for event in waiting.rows() if event.verb] == ["resume"]
    parking.execute("COMMIT")

    assert (world.row(made.id)["status"], _fold(world, made.id)) == ("RUNNING", [])
    assert [event["seq"] for event in world.events(made.id)] == list(range(1, world.row(made.id)["seq"] + 1))


def test_a_consent_wakes_all_that_it_satisfies_once_and_nobody_else(world: World) -> None:
    holder, other = _holder(), _holder()
    foreign = Holder("other", holder.subject, holder.provider)
    asker, same, less = (_asking(world, holder, *scopes) for scopes in (("read", "write"), ("read",), ()))
    more = _asking(world, holder, "read", "admin")
    elsewhere = _asking(world, other, "read")
    stranger = world.run("executing", tenant="other")
    assert _park(stranger, _wait(foreign, "read")).one(world.connection) is not None

    with world.connection.transaction():
        _consent(world.connection, asker.id, holder, "read", "write")

    for made in (same, less):
        assert [event.verb for event in _fold(world, made.id) if event.verb] == ["resume"]
        assert _fold(world, made.id) == []
    for made in (more, elsewhere, stranger):
        assert (_fold(world, made.id), world.row(made.id)["status"]) == ([], "AUTH_REQUIRED")
    notes = [
        event["data"] for event in world.events(same.id) if event["type"] == "authentication" and event["verb"] is None
    ]
    assert [(note["outcome"], note["provider"]) for note in notes] == [("authorized", "bank")]


def test_a_run_that_is_told_twice_goes_on_once(world: World) -> None:
    holder = _holder()
    asker, made = _asking(world, holder, *READ), _asking(world, holder, *READ)
    for _ in range(2):
        with world.connection.transaction():
            _consent(world.connection, asker.id, holder, *READ)
    assert len([event for event in _fold(world, made.id) if event.verb == "resume"]) == 1
    assert [event["verb"] for event in world.events(made.id)].count("resume") == 1


def test_a_grant_that_is_gone_when_a_run_is_told_wakes_it_not(world: World) -> None:
    holder = _holder()
    asker, made = _asking(world, holder, *READ), _asking(world, holder, *READ)
    with world.connection.transaction():
        _consent(world.connection, asker.id, holder, *READ)
    assert grants.lose(holder).one(world.connection)
    assert (_fold(world, made.id), world.row(made.id)["status"]) == ([], "AUTH_REQUIRED")


def test_a_run_that_ended_meanwhile_hears_nothing(world: World) -> None:
    holder = _holder()
    asker, made = _asking(world, holder, *READ), _asking(world, holder, *READ)
    with world.connection.transaction():
        _consent(world.connection, asker.id, holder, *READ)
    assert moves.cancel_idle(made.id, TENANT, reason=Reason.BY_USER, by="ann", comment=None).one(world.connection)
    before = world.whole(made.id)
    assert (_fold(world, made.id), world.whole(made.id)) == ([], before)


@pytest.mark.parametrize(
    ("given", "live"),
    [
        (_given("read"), True),
        (_given("read", "more"), True),
        (_given("read", refreshable=False, expires_in=None), True),
        (_given("read", refreshable=True, expires_in=-1), True),
        (_given("read", refreshable=False, expires_in=-1), False),
        (_given("write"), False),
        (_given(), False),
    ],
)
def test_a_run_parks_for_what_no_usable_grant_gives_alone(world: World, given: Given, live: bool) -> None:
    holder, made = _holder(), world.run("executing")
    grants.store(holder, given, world.provider(holder.provider)).one(world.connection)
    row = _park(made, _wait(holder, *READ)).one(world.connection)
    assert row is not None
    assert world.row(made.id)["status"] == ("RUNNING" if live else "AUTH_REQUIRED")


def test_who_found_an_old_token_useless_does_not_take_back_its_successor(world: World) -> None:
    holder, giver = _holder(), world.provider()
    first, second = (grants.store(holder, _given("read"), giver).one(world.connection) for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first.version, second.version, first.id) == (1, 2, second.id)
    assert grants.lose(holder, 1).one(world.connection) is None
    assert grants.lose(holder, 2).one(world.connection) is not None
    held = grants.held(holder).one(world.connection)
    assert held is not None
    assert (held.live, held.sealed) == (False, "")


@pytest.mark.parametrize(
    ("expires_in", "fresh"), [(None, True), (3600, True), (50, True), (0.0001, False), (-1, False)]
)
def test_a_token_is_fresh_until_a_minute_or_a_quarter_of_its_time_is_left(
    world: World, expires_in: float | None, fresh: bool
) -> None:
    holder = _holder()
    grants.store(holder, _given(expires_in=expires_in), world.provider(holder.provider)).one(world.connection)
    held = grants.held(holder).one(world.connection)
    assert held is not None
    assert held.fresh is fresh
    if expires_in == 50:
        world.connection.execute(
            "UPDATE \"grant\" SET refreshed_at = now() - interval '40 s', expires_at = now() + interval '10 s'"
            " WHERE subject = %s",
            [holder.subject],
        )
        later = grants.held(holder).one(world.connection)
        assert later is not None
        assert not later.fresh


def test_what_another_system_carries_out_waits_for_no_grant(world: World) -> None:
    holder, made = _holder(), world.run("executing")
    grants.store(holder, _given("read"), world.provider(holder.provider)).one(world.connection)
    request = {"provider": "bank", "subject": holder.subject, "scopes": ["read"], "url": "https://bank.example"}
    assert _park(made, authorization("a", request, None, None, holder)).one(world.connection) is not None
    assert world.row(made.id)["status"] == "AUTH_REQUIRED"
