"""One scheduler leads at a time, on a session that the server ends after silence; no duty's fault ends another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

import psycopg
import pytest

from models.runtime.bus import FREED, PROMOTE
from models.runtime.database import Connection
from scheduler import loop as loops
from scheduler.duty import Done, Duty
from scheduler.leader import open_session, try_to_lead
from scheduler.loop import Loop
from tests.postgres.proxied import proxy_to, settings_of, through, until
from tests.postgres.proxy import Proxy


class Counting(Duty):
    """A duty that counts its executions, and may fail or block."""

    def __init__(
        self, every: float = 0.05, step: Callable[[Connection], None] = lambda _: None, wakes_on: Iterable[str] = ()
    ) -> None:
        self.every, self.done, self._step = every, 0, step
        self.wakes_on = frozenset(wakes_on)

    def step(self, connection: Connection) -> Iterator[Done]:
        self.done += 1
        self._step(connection)
        yield Done(self.every)


Start = Callable[..., Loop]


@pytest.fixture
def proxy(law_url: str) -> Iterator[Proxy]:
    with proxy_to(law_url) as proxy:
        yield proxy


@pytest.fixture(autouse=True)
def _settings(proxy: Proxy, law_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with settings_of(monkeypatch, DATABASE_URL=law_url, DATABASE_DIRECT_URL=through(proxy, law_url)):
        yield


@pytest.fixture
def start(proxy: Proxy) -> Iterator[Start]:
    """Return a function that runs a loop with duties in a thread."""
    running: list[tuple[Loop, threading.Thread]] = []

    def run(*duties: Duty, announce: Callable[[Done], None] = lambda _: None) -> Loop:
        loop = Loop(lambda: list(duties), announce)
        thread = threading.Thread(target=loop.run)
        running.append((loop, thread))
        thread.start()
        return loop

    yield run
    proxy.refusing = proxy.frozen = False
    for loop, _ in running:
        loop.stop()
    for _, thread in running:
        thread.join(10)
        assert not thread.is_alive()


def test_of_two_schedulers_one_leads_and_the_other_follows_when_it_stops(start: Start) -> None:
    first, second = Counting(), Counting()
    leader = start(first)
    until(lambda: leader.leads, "the first leads")
    standby = start(second)
    done = first.done
    until(lambda: first.done >= done + 20, "the leader goes on")
    assert (standby.leads, second.done) == (False, 0)

    leader.stop()
    until(lambda: second.done, "the standby leads", 5)


def test_the_lock_is_one_for_all_sessions() -> None:
    with open_session() as one, open_session() as two:
        assert (try_to_lead(one), try_to_lead(two)) == (True, False)
        one.close()
        until(lambda: try_to_lead(two), "the other leads")


@pytest.mark.parametrize("inside", ["", "BEGIN"])
def test_a_silent_session_is_ended_by_the_server_and_with_it_its_lead(inside: str) -> None:
    """A leader that is frozen, or cut off in the middle of a transaction, sends nothing any more."""
    with open_session() as silent, open_session() as standby:
        until(lambda: try_to_lead(silent), "the server has ended the session of the test before", 5)
        if inside:
            silent.execute(inside)
        began = time.monotonic()

        def leads() -> bool:
            time.sleep(0.2)  # between two requests, so that the standby is not silent itself
            return try_to_lead(standby)

        until(leads, "the standby leads", 5)
        assert 1.5 < time.monotonic() - began < 4
        with pytest.raises(psycopg.Error):
            silent.execute("SELECT 1")


def test_a_standby_takes_over_from_a_leader_that_hangs(start: Start) -> None:
    stuck = threading.Event()

    def hang(connection: Connection) -> None:
        stuck.wait(20)
        connection.execute("SELECT 1")

    hanging = Counting(step=hang)
    leader = start(hanging)
    until(lambda: hanging.done, "the leader hangs in a duty")
    following = Counting()
    start(following)
    began = time.monotonic()
    until(lambda: following.done, "the standby leads", 6)
    assert time.monotonic() - began < 5

    stuck.set()  # the old leader's further work uses a session that is gone
    until(lambda: not leader.leads, "the old leader knows")


def test_a_duty_that_raises_ends_neither_the_others_nor_itself(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[str, str]] = []
    monkeypatch.setattr(loops, "fact", lambda name, **fields: said.append((name, str(fields.get("duty")))))
    monkeypatch.setattr(loops, "RETRY_SECONDS", 0.05)

    def fault(_: Connection) -> None:
        raise RuntimeError("no")

    def bad_sql(connection: Connection) -> None:
        connection.execute("SELECT nonsense")

    def half_done(connection: Connection) -> None:
        with connection.transaction():
            connection.execute("SELECT 1/0")

    duties = [Counting(step=fault), Counting(step=bad_sql), Counting(step=half_done), Counting()]
    loop = start(*duties)
    until(lambda: all(duty.done >= 3 for duty in duties), "all go on")
    assert loop.leads
    assert ("scheduler.duty_failed", "Counting") in said


def test_what_a_duty_did_is_announced_result_by_result_and_the_last_says_how_long_to_wait(start: Start) -> None:
    class Working(Counting):
        def step(self, connection: Connection) -> Iterator[Done]:
            yield Done(queues=["a"])
            assert announced[-1].queues == ["a"], "a result is announced before the work goes on"
            yield from super().step(connection)

    announced: list[Done] = []
    duty = Working(every=30)
    start(duty, announce=announced.append)
    until(lambda: len(announced) == 2, "both results are announced")
    assert [done.wait_s for done in announced] == [0.0, 30]
    time.sleep(2 * loops.TICK_SECONDS)  # long enough for another step, which must not come
    assert duty.done == 1


def test_a_duty_that_raises_has_announced_what_it_did_before(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Counting):
        def step(self, connection: Connection) -> Iterator[Done]:
            yield Done(queues=["a"])
            yield from super().step(connection)

    def fault(_: Connection) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr(loops, "RETRY_SECONDS", 0.05)
    announced: list[Done] = []
    start(Failing(step=fault), announce=announced.append)
    until(lambda: len(announced) >= 2, "it is tried again")
    assert {tuple(done.queues) for done in announced} == {("a",)}


def test_a_lost_session_is_replaced_and_said_once(start: Start, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(loops, "fact", lambda name, **_: said.append(name))
    monkeypatch.setattr(loops, "RETRY_SECONDS", 0.05)
    duty = Counting(step=lambda connection: (connection.execute("SELECT 1"), None)[1])
    start(duty)
    until(lambda: duty.done, "it leads")
    proxy.refusing = True
    proxy.cut()
    tries = proxy.accepted
    until(lambda: proxy.accepted > tries + 3, "it tries again and again")
    proxy.refusing = False
    done = duty.done
    until(lambda: duty.done > done, "it leads again")
    assert said == ["scheduler.leads", "scheduler.database_away", "scheduler.database_back", "scheduler.leads"]


def test_duties_are_made_anew_with_each_session(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A duty's memory (which worker has been silent for how long) is valid for one unbroken session only."""
    monkeypatch.setattr(loops, "RETRY_SECONDS", 0.05)
    made: list[Counting] = []

    def make() -> list[Duty]:
        made.append(Counting(step=lambda connection: (connection.execute("SELECT 1"), None)[1]))
        return [made[-1]]

    loop = Loop(make, lambda _: None)
    thread = threading.Thread(target=loop.run)
    thread.start()
    until(lambda: made and made[0].done, "it leads")
    proxy.cut()
    until(lambda: len(made) == 2 and made[1].done, "it leads again")
    loop.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_a_hint_makes_the_first_duty_due_at_once_and_no_other(start: Start) -> None:
    first, second = Counting(every=30, wakes_on={PROMOTE}), Counting(every=30)
    loop = start(first, second)
    until(lambda: second.done, "both were done")
    began = time.monotonic()
    for times in range(2, 6):
        loop.hint()
        until(lambda times=times: first.done >= times, "the hint is followed")
    assert time.monotonic() - began < 1
    assert second.done == 1


def test_a_hint_makes_as_many_duties_due_as_the_loop_was_told(start: Start) -> None:
    first, second = Counting(every=30, wakes_on={PROMOTE}), Counting(every=30, wakes_on={PROMOTE, FREED})
    third = Counting(every=30)
    loop = start(first, second, third)
    until(lambda: third.done, "all were done")
    loop.hint()
    until(lambda: second.done == 2, "the hint is followed")
    assert (first.done, third.done) == (2, 1)


def test_a_hint_at_a_free_slot_makes_the_last_of_the_hinted_duties_due_alone(start: Start) -> None:
    first, second = Counting(every=30, wakes_on={PROMOTE}), Counting(every=30, wakes_on={PROMOTE, FREED})
    third = Counting(every=30)
    loop = start(first, second, third)
    until(lambda: third.done, "all were done")
    loop.hint(FREED)
    until(lambda: second.done == 2, "the hint is followed")
    assert (first.done, third.done) == (1, 1)
    loop.hint(PROMOTE)
    loop.hint(FREED)
    until(lambda: first.done == 2, "a hint at more is not lost behind one at a free slot")
