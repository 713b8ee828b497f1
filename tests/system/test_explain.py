"""Explain is right: what it names holds the run, and nothing else does. Whoever removes just that sees the run go.

Each run is held by one thing, in a working system. While it is, explain names that alone, and a run beside it that is not held
goes on. Then that one thing is removed, by the call that is there for it or in its row, and the run ends well.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from models.session_locks import LEADER
from ops.child import Child
from scheduler.gates import FRESH_SECONDS
from tests.system.live import AGENTS, Live

LEASE = 5
ALWAYS = {"cron": "* * * * *", "duration": 120, "timezone": "UTC"}


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    """Two slots of a queue, and one of another beside it."""
    options = {"workers": 1, "slots": 2, "env": {"TAXIWAY_LEASE_SECONDS": str(LEASE)}}
    with Live(stack(agents=str(AGENTS / "explained.py"), **options)) as live:
        live.stack.fleet.start_worker(2, queue="beside", slots=1)
        live.until(lambda: _serving(live, "beside"), "the other queue has its worker")
        yield live


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "there"


def _serving(live: Live, queue: str) -> bool:
    workers = live.http.get("/v1/workers").json()["workers"]
    return any(worker["queue"] == queue and worker["consuming"] and worker["agents"] for worker in workers)


def explained(live: Live, run: str) -> dict[str, Any]:
    answer = live.http.get(f"/v1/runs/{run}/explain")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def kinds(live: Live, run: str) -> list[str]:
    return [blocker["kind"] for blocker in explained(live, run)["blockers"]]


def put(live: Live, path: str, **body: Any) -> None:
    answer = live.http.put(f"/v1/{path}", json=body)
    assert answer.status_code in (200, 201), answer.text


def closing(live: Live, path: str, **body: Any) -> None:
    """Say something that holds runs back, and let the scheduler hear of it."""
    put(live, path, **body)
    time.sleep(2 * FRESH_SECONDS)  # it reads what is configured so often, and nothing shows that it did


def post(live: Live, path: str, **body: Any) -> None:
    answer = live.http.post(f"/v1/{path}", json=body)
    assert answer.status_code in (200, 201, 202), answer.text


def done(live: Live, sql: str, *params: Any) -> None:
    with live.connect() as connection:
        assert connection.execute(sql.encode(), params).rowcount > 0


def named(live: Live, run: str, *expected: str) -> list[dict[str, Any]]:
    """Wait until exactly these blockers are named, and see that they stay while another run comes and goes."""
    live.until(lambda: kinds(live, run) == [*expected], f"{expected} is named", 15, lambda: explained(live, run))
    assert live.end(live.enqueue("quick", queue="beside"))["status"] == "SUCCESS"
    body = explained(live, run)
    assert [blocker["kind"] for blocker in body["blockers"]] == [*expected]
    assert not body["executing"]
    found: list[dict[str, Any]] = body["blockers"]
    return found


def goes(live: Live, run: str) -> None:
    live.end_all([run], 30)
    body = explained(live, run)
    assert (body["status"], body["blockers"]) == ("SUCCESS", [])


def executes(live: Live, run: str) -> None:
    live.until(lambda: explained(live, run)["executing"], "it executes", instead=lambda: explained(live, run))
    body = explained(live, run)
    assert body["blockers"] == []
    assert body["worker"]["name"]


@contextmanager
def busy(live: Live, file: Path, **options: Any) -> Iterator[str]:
    """Hold a slot of the queue until the file is there; in any case at the end."""
    run = live.enqueue("held", {"until": str(file)}, **options)
    executes(live, run)
    try:
        yield run
    finally:
        file.touch()
        live.end_all([run], 30)


# --------------------------------------------------------------------------------------------- what somebody did to the run
def test_a_run_that_was_held(live: Live) -> None:
    closing(live, "queues/default", paused=True)
    run = live.enqueue("quick")
    post(live, f"runs/{run}/pause", reason="prices")
    put(live, "queues/default", paused=False)
    [blocker] = named(live, run, "held")
    assert (blocker["by"] is not None, blocker["comment"]) == (True, "prices")
    post(live, f"runs/{run}/resume")
    goes(live, run)


def test_a_run_that_a_user_paused(live: Live, file: Path) -> None:
    run = live.enqueue("stepping", {"until": str(file)})
    executes(live, run)
    post(live, f"runs/{run}/pause")
    [blocker] = named(live, run, "pause")
    assert blocker["pausedBy"] == "user"
    file.touch()
    assert kinds(live, run) == ["pause"]
    post(live, f"runs/{run}/resume")
    goes(live, run)


# ---------------------------------------------------------------------------------------------------- what it waits for
def _approve(live: Live, run: str, blocker: dict[str, Any]) -> None:
    post(live, f"approvals/{blocker['waitId']}", decision="approve")


def _authorize(live: Live, run: str, blocker: dict[str, Any]) -> None:
    [wait] = live.run(run)["pause"]["waits"]
    token = parse_qs(urlsplit(wait["authUrl"]).query)["token"][0]
    post(live, f"auth/{blocker['waitId']}/complete", token=token, outcome="authorized")


def _send(live: Live, run: str, blocker: dict[str, Any]) -> None:
    post(live, f"runs/{run}/signals/{blocker['signal']}", payload=1)


def _resume(live: Live, run: str, _: dict[str, Any]) -> None:
    post(live, f"runs/{run}/resume")


def _elapse(live: Live, _: str, blocker: dict[str, Any]) -> None:
    assert blocker["until"]
    done(live, "UPDATE wait SET due_at = now() WHERE id = %s", blocker["waitId"])


ENDINGS: dict[str, Callable[[Live, str, dict[str, Any]], None]] = {
    "approval": _approve,
    "authorization": _authorize,
    "signal": _send,
    "pause": _resume,
    "timer": _elapse,
}


@pytest.mark.parametrize("kind", ENDINGS)
def test_a_run_that_waits(live: Live, kind: str) -> None:
    run = live.enqueue("waiting", {"what": kind})
    [blocker] = named(live, run, kind)
    ENDINGS[kind](live, run, blocker)
    goes(live, run)


def test_a_run_that_waits_for_its_child(live: Live, file: Path) -> None:
    run = live.enqueue("parent", {"until": str(file)})
    [blocker] = named(live, run, "child")
    [child] = blocker["runs"]
    executes(live, child["runId"])
    file.touch()
    goes(live, run)


def test_a_run_whose_code_was_changed(live: Live, file: Path) -> None:
    file.write_text("a")
    run = live.enqueue("changed", {"code": str(file)})
    named(live, run, "signal")
    file.write_text("b")
    post(live, f"runs/{run}/signals/paid")
    named(live, run, "code_mismatch")
    file.write_text("a")
    post(live, f"runs/{run}/resume")
    goes(live, run)


def test_a_run_that_was_parked_because_its_window_closed(live: Live, file: Path) -> None:
    put(live, "windows/shift", **ALWAYS, onClose="pause")
    run = live.enqueue("stepping", {"until": str(file)}, window="shift")
    executes(live, run)
    post(live, "windows/shift/override", state="closed", until=_later())
    [blocker] = named(live, run, "window_wait")
    assert blocker["window"] == "shift"
    file.touch()
    assert live.http.delete("/v1/windows/shift/override").status_code == 200
    goes(live, run)


def _later(**distance: float) -> str:
    return (datetime.now(UTC) + timedelta(**(distance or {"hours": 1}))).isoformat()


# ------------------------------------------------------------------------------------------------------- what holds many
GATES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "queue_paused": ("queues/default", {"paused": True}, {"paused": False}),
    "queue_cordoned": ("queues/default", {"cordoned": True}, {"cordoned": False}),
    "agent_paused": ("agents/stepping", {"paused": True}, {"paused": False}),
}


@pytest.mark.parametrize("kind", GATES)
def test_a_run_of_what_is_paused(live: Live, file: Path, kind: str) -> None:
    path, closed, opened = GATES[kind]
    closing(live, path, **closed)
    file.touch()
    run = live.enqueue("stepping", {"until": str(file)})
    named(live, run, kind)
    put(live, path, **opened)
    goes(live, run)


def test_a_cordon_lets_a_run_go_on_that_had_started(live: Live) -> None:
    run = live.enqueue("waiting", {"what": "signal"})
    named(live, run, "signal")
    closing(live, "queues/default", cordoned=True)
    try:
        post(live, f"runs/{run}/signals/paid")
        goes(live, run)
    finally:
        put(live, "queues/default", cordoned=False)


@pytest.mark.parametrize("through", ["run", "queue", "agent"])
def test_a_run_behind_a_closed_window(live: Live, through: str) -> None:
    closing(live, "windows/never", **ALWAYS, kind="blackout")
    gate = {"queue": "queues/default", "agent": "agents/waiting"}.get(through)
    if gate:
        closing(live, gate, window="never")
    run = live.enqueue("waiting", {"what": "nothing"}, **({} if gate else {"window": "never"}))
    try:
        [blocker] = named(live, run, "window_closed")
        assert (blocker["window"], blocker["through"]) == ("never", [through])
        post(live, "windows/never/override", state="open", until=_later())
        goes(live, run)
    finally:
        live.http.delete("/v1/windows/never/override")
        if gate:
            put(live, gate, window=None)


# ------------------------------------------------------------------------------------------------ what it waits its turn for
def test_a_run_before_its_time(live: Live) -> None:
    run = live.enqueue("quick", notBefore=_later())
    [blocker] = named(live, run, "not_before")
    assert blocker["until"] == live.run(run)["notBefore"]
    done(live, "UPDATE run SET blocked_until = now() WHERE id = %s", run)
    goes(live, run)


def test_a_run_of_a_schedule_whose_run_before_goes_on(live: Live, file: Path) -> None:
    put(
        live, "schedules/nightly", cron="0 2 29 2 *", timezone="UTC", overlap="queue", catchUp="last",
        run={"agent": "held", "input": {"until": str(file)}},
    )  # fmt: skip
    runs: list[str] = []
    for n in (1, 2):
        done(live, "UPDATE schedule SET next_at = now() WHERE name = 'nightly'")
        live.until(lambda n=n: len(_fired(live)) == n, "it fired")
        runs = _fired(live)
    first, second = runs
    executes(live, first)
    [blocker] = named(live, second, "overlap")
    assert blocker["runs"] == [{"runId": first, "status": "RUNNING"}]
    assert live.http.delete(f"/v1/runs/{blocker['runs'][0]['runId']}").status_code in (200, 202)
    executes(live, second)
    file.touch()
    goes(live, second)


def _fired(live: Live) -> list[str]:
    shown = live.http.get("/v1/schedules/nightly").json()
    return [firing["runId"] for firing in reversed(shown["firings"])]


def test_a_run_whose_key_is_held(live: Live, file: Path) -> None:
    with busy(live, file, concurrencyKey="A7") as holder:
        run, other = (live.enqueue("quick", concurrencyKey=key) for key in ("A7", "B8"))
        goes(live, other)
        [blocker] = named(live, run, "key")
        assert (blocker["key"], blocker["limit"], blocker["ahead"]) == ("A7", 1, 0)
        assert [one["runId"] for one in blocker["runs"]] == [holder]
        last = live.enqueue("quick", concurrencyKey="A7")
        live.until(lambda: kinds(live, last) == ["key"], "it waits in line")
        assert explained(live, last)["blockers"][0]["ahead"] == 1
        assert live.http.delete(f"/v1/runs/{holder}").status_code == 202
        goes(live, run)
        goes(live, last)


def test_a_run_of_a_tenant_that_has_all_its_places(live: Live, file: Path) -> None:
    closing(live, "queues/default", tenantLimit=1)
    try:
        with busy(live, file) as holder:
            run = live.enqueue("quick")
            [blocker] = named(live, run, "tenant_limit")
            assert [one["runId"] for one in blocker["runs"]] == [holder]
            put(live, "queues/default", tenantLimit=2)
            goes(live, run)
    finally:
        put(live, "queues/default", tenantLimit=None)


def test_a_run_of_a_queue_that_starts_no_more_in_its_time(live: Live) -> None:
    closing(live, "queues/default", rate={"limit": 1, "per": 3600})
    try:
        goes(live, live.enqueue("quick"))
        run = live.enqueue("quick")
        [blocker] = named(live, run, "rate")
        assert (blocker["limit"], blocker["used"]) == (1, 1)
        assert blocker["until"] > _later(minutes=50)
        put(live, "queues/default", rate={"limit": 2, "per": 3600})
        goes(live, run)
    finally:
        put(live, "queues/default", rate=None)


@pytest.mark.parametrize(("path", "kind"), [("queues/default", "queue_limit"), ("agents/held", "agent_limit")])
def test_a_run_beyond_a_limit_in_flight(live: Live, file: Path, path: str, kind: str) -> None:
    closing(live, path, limit=1)
    try:
        with busy(live, file):
            run = live.enqueue("held", {"until": str(file)})
            [blocker] = named(live, run, kind)
            assert (blocker["limit"], blocker["used"]) == (1, 1)
            put(live, path, limit=2)
            executes(live, run)
        goes(live, run)
    finally:
        put(live, path, limit=None)


# --------------------------------------------------------------------------------------------------------- who does the work
def test_a_run_for_which_no_slot_is_free(live: Live, file: Path, tmp_path: Path) -> None:
    with busy(live, file), busy(live, tmp_path / "other"):
        run = live.enqueue("quick")
        [blocker] = named(live, run, "capacity")
        assert {name: blocker[name] for name in ("slots", "executing", "promised", "ahead")} == {
            "slots": 2, "executing": 2, "promised": 0, "ahead": 0,
        }  # fmt: skip
        later, urgent = live.enqueue("quick"), live.enqueue("quick", priority=5)
        assert [explained(live, one)["blockers"][0]["ahead"] for one in (urgent, run, later)] == [0, 1, 2]
        file.touch()
        goes(live, run)


def test_a_run_of_a_queue_without_workers(live: Live) -> None:
    put(live, "queues/empty")
    run = live.enqueue("quick", queue="empty")
    named(live, run, "no_worker")
    worker = live.stack.fleet.start_worker(3, queue="empty", slots=1)
    goes(live, run)
    assert worker.stop(30)


def test_a_run_whose_agent_is_served_elsewhere(live: Live) -> None:
    """A worker that serves other agents is no worker for it."""
    others = {"TAXIWAY_AGENTS": str(AGENTS / "short.py")}
    wrong = live.stack.fleet.start_worker(3, queue="others", slots=1, env=others)
    live.until(lambda: _serving(live, "others"), "the worker serves other agents")
    run = live.enqueue("quick", queue="others")
    [blocker] = named(live, run, "agent_unserved")
    assert [worker["agents"] for worker in blocker["workers"]] == [["long", "short"]]
    right = live.stack.fleet.start_worker(4, queue="others", slots=1)
    goes(live, run)
    assert wrong.stop(30)
    assert right.stop(30)


def test_a_run_whose_ticket_was_declined(live: Live) -> None:
    closing(live, "queues/default", paused=True)
    run = live.enqueue("quick")
    sql = "UPDATE run SET blocked_on = 'declined', blocked_until = now() + interval '1 h' WHERE id = %s"
    done(live, sql, run)
    put(live, "queues/default", paused=False)
    [blocker] = named(live, run, "declined")
    assert blocker["until"]
    done(live, "UPDATE run SET blocked_until = now() WHERE id = %s", run)
    goes(live, run)


def _stop_scheduler(live: Live) -> None:
    [scheduler] = live.stack.schedulers
    assert scheduler.stop(30)


@contextmanager
def frozen(child: Child) -> Iterator[None]:
    os.kill(child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child.pid, signal.SIGCONT)


def test_a_run_that_nothing_holds_is_about_to_be_promoted_or_given_its_place(live: Live) -> None:
    """A leader that does nothing: the lock is held, and nobody works."""
    _stop_scheduler(live)
    with live.connect() as leader:
        leader.execute("SELECT pg_advisory_lock(%s)", [LEADER])
        runs = [live.enqueue("quick"), live.enqueue("quick", concurrencyKey="C9")]
        assert [kinds(live, run) for run in runs] == [["promotion"], ["place"]]
    live.stack.fleet.start_scheduler(1)
    for run in runs:
        goes(live, run)


def test_a_run_that_was_promoted_and_waits_for_a_worker(live: Live) -> None:
    beside = next(child for child in live.stack.workers if child.name == "worker-2")
    with frozen(beside):
        run = live.enqueue("quick", queue="beside")
        live.until(lambda: kinds(live, run) == ["promoted"], "its ticket is out", 2, lambda: explained(live, run))
    goes(live, run)


def test_a_run_without_a_scheduler(live: Live) -> None:
    _stop_scheduler(live)
    run, sleeper = live.enqueue("quick"), live.enqueue("quick", concurrencyKey="D1")
    assert kinds(live, run) == ["no_scheduler"]
    assert kinds(live, sleeper) == ["place", "no_scheduler"]
    live.stack.fleet.start_scheduler(1)
    for one in (run, sleeper):
        goes(live, one)


def test_a_run_whose_worker_was_killed(live: Live, file: Path) -> None:
    """Without a scheduler nobody recovers it; a new one waits for a whole lease before it judges, and says so."""
    doomed = live.stack.fleet.start_worker(5, queue="doomed", slots=1)
    live.until(lambda: _serving(live, "doomed"), "the worker is there")
    run = live.enqueue("held", {"until": str(file)}, queue="doomed")
    executes(live, run)
    _stop_scheduler(live)
    doomed.kill()
    live.until(
        lambda: kinds(live, run) == ["no_scheduler", "recovering"], "its lease is over", 3 * LEASE,
        lambda: explained(live, run),
    )  # fmt: skip
    live.stack.fleet.start_scheduler(1)
    live.until(lambda: kinds(live, run) == ["recovering"], "somebody leads", instead=lambda: explained(live, run))
    live.until(lambda: kinds(live, run) == ["no_worker"], "it is recovered", instead=lambda: explained(live, run))
    file.touch()
    worker = live.stack.fleet.start_worker(6, queue="doomed", slots=1)
    goes(live, run)
    assert worker.stop(30)


def test_all_that_holds_a_run_is_named_in_the_order_in_which_to_remove_it(live: Live, file: Path) -> None:
    """And each removal takes away just one of them."""
    closing(live, "windows/never", **ALWAYS, kind="blackout")
    put(live, "queues/crowded", paused=True, cordoned=True, window="never")
    put(live, "agents/quick", paused=True)
    run = live.enqueue("quick", queue="crowded")
    post(live, f"runs/{run}/pause")
    ways: dict[str, Callable[[], None]] = {
        "held": lambda: post(live, f"runs/{run}/resume"),
        "queue_paused": lambda: put(live, "queues/crowded", paused=False),
        "queue_cordoned": lambda: put(live, "queues/crowded", cordoned=False),
        "agent_paused": lambda: put(live, "agents/quick", paused=False),
        "window_closed": lambda: put(live, "queues/crowded", window=None),
        "no_worker": lambda: live.stack.fleet.start_worker(7, queue="crowded", slots=1) and None,
    }
    while ways:
        assert kinds(live, run) == list(ways)
        ways.pop(next(iter(ways)))()
        time.sleep(0.05)  # nothing is awaited: a removal is seen by the next answer, but a worker takes its time
    goes(live, run)
