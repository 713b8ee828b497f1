"""Runs that compete, on real workers of which one is killed: by their event log no key, tenant or queue ever had too many.

`KEYED_RUNS=5000` plays so many.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pytest

from scheduler.promotion.gates import FRESH_SECONDS
from tests.system.live import AGENTS, Live

RUNS = int(os.environ.get("KEYED_RUNS", "360"))
TENANTS = ("default", "bolt", "cord")
KEYS = [f"k{n}" for n in range(50)]
OFTEN = [49] + [1] * 49  # the first as often as all others
BATCH = 20
LONGER = 0.5
"""Seconds of the first runs, of which a few at once fill the queue."""
WORKERS, SLOTS = 2, 4
LIMIT, TENANT_LIMIT = 7, 4
_ENDINGS = ("succeed", "fail", "cancel", "pause_by_agent", "pause_by_user", "recover", "hand_back")
_EVENTS = """
    SELECT run_id::text, verb, reason, at, data ->> 'promotedAt' AS promoted_at FROM event
    WHERE run_id = ANY(%s::uuid[]) AND verb IS NOT NULL ORDER BY run_id, seq
    """
_AT_WORK = "SELECT FROM run JOIN worker ON worker.id = lease_worker WHERE worker.pid = %s LIMIT 1"


@dataclass(frozen=True)
class Asked:
    """The requested limits and keys of a run."""

    tenant: str
    key: str
    on_conflict: str


Stretch = tuple[int, int]
"""From a promotion until the run held nothing any more, in milliseconds."""


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    # A short lease: nothing is recovered during the first one of a new scheduler.
    started = stack(agents=str(AGENTS / "keyed.py"), workers=WORKERS, slots=SLOTS, env={"TAXIWAY_LEASE_SECONDS": "5"})
    with Live(started) as live:
        yield live


@pytest.fixture(scope="module")
def tenants(live: Live) -> Iterator[dict[str, httpx.Client]]:
    clients = {tenant: live.client(live.key(tenant)) for tenant in TENANTS[1:]}
    yield {TENANTS[0]: live.http, **clients}
    for client in clients.values():
        client.close()


def _enqueue(live: Live, tenants: dict[str, httpx.Client], dice: random.Random, count: int) -> dict[str, Asked]:
    """Enqueue runs, tenant after tenant; the first has the queue for itself until its runs begin, and so meets its limit.

    The first runs of each take so long that the queue meets its own.
    """
    asked: dict[str, Asked] = {}
    for n in range(-(-count // BATCH)):
        tenant = TENANTS[n % len(TENANTS)]
        runs = [_request(dice, longer=n < len(TENANTS)) for _ in range(BATCH)]
        answer = tenants[tenant].post("/v1/runs/batch", json={"runs": runs})
        assert answer.status_code == 201, answer.text
        for run, made in zip(runs, answer.json()["runs"], strict=True):
            asked[made["runId"]] = Asked(tenant, run["concurrencyKey"], run["onConflict"])
        if n == 0:
            live.until(lambda: any(told for told in _stretches_begun(live, asked)), "the first runs begin")
    return asked


def _stretches_begun(live: Live, runs: Iterable[str]) -> list[bool]:
    """Return for each run with events whether it was promoted."""
    return [any(event["promoted_at"] for event in told) for told in _events(live, runs).values()]


def _request(dice: random.Random, *, longer: bool) -> dict[str, Any]:
    conflict = dice.choices(("queue", "skip", "cancel_running"), (90, 8, 2))[0]
    key = dice.choices(KEYS, OFTEN)[0]
    seconds = LONGER if longer and key != KEYS[0] else dice.uniform(0.005, 0.05)
    given = {"seconds": seconds, "sleeps": dice.random() < 0.2}
    return {"agent": "keyed", "input": given, "concurrencyKey": key, "onConflict": conflict}


def _limit(live: Live, key_limit: int) -> None:
    limits = {"limit": LIMIT, "tenantLimit": TENANT_LIMIT, "keyLimit": key_limit}
    assert live.http.put("/v1/queues/default", json=limits).status_code == 200
    time.sleep(2 * FRESH_SECONDS)  # the leader reads the settings at this interval, and nothing shows that it did


def _kill_a_worker(live: Live, number: int) -> None:
    """Kill a worker that executes something, and start another in its place."""
    worker = live.stack.fleet.children[f"worker-{number}"]

    def stopped_at_work() -> bool:
        os.kill(worker.pid, signal.SIGSTOP)
        with live.connect() as connection:
            busy = connection.execute(_AT_WORK, [worker.pid]).fetchone() is not None
        if not busy:
            os.kill(worker.pid, signal.SIGCONT)
        return busy

    live.until(stopped_at_work, "the worker executes something")
    os.kill(worker.pid, signal.SIGKILL)
    assert worker.wait(10)
    live.stack.fleet.start_worker(number)


def _stretches(events: Iterable[dict[str, Any]]) -> list[Stretch]:
    """Read when a run had a ticket or a worker."""
    found: list[Stretch] = []
    since: int | None = None
    for event in events:
        if event["promoted_at"]:
            assert since is None, "it began twice"
            since = _ms(datetime.fromisoformat(event["promoted_at"]))
        elif event["verb"] in _ENDINGS and since is not None:
            found.append((since, _ms(event["at"])))
            since = None
    assert since is None, "it never ended"
    return found


def _ms(at: datetime) -> int:
    """Round down, as the reports of promotions do."""
    return int(at.timestamp()) * 1000 + at.microsecond // 1000


def _most(stretches: Iterable[Stretch]) -> int:
    """Count the most concurrent ones; one that begins when another ends does not overlap it."""
    steps = sorted(step for since, until in stretches for step in ((since, 1), (max(since, until), -1)))
    now = most = 0
    for _, change in steps:
        now += change
        most = max(most, now)
    return most


def _events(live: Live, runs: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    with live.connect() as connection:
        for event in connection.execute(_EVENTS, [list(runs)]):
            found[event["run_id"]].append(event)
    return found


@pytest.mark.timeout(120 + RUNS // 5)
@pytest.mark.parametrize("key_limit", [1, 2, 3])
def test_no_limit_is_exceeded_although_a_worker_is_killed_and_all_ends(
    live: Live, tenants: dict[str, httpx.Client], key_limit: int
) -> None:
    _limit(live, key_limit)
    live.stack.wait_for_slots(WORKERS * SLOTS)
    asked = _enqueue(live, tenants, random.Random(key_limit), RUNS // 3)
    _kill_a_worker(live, 1 + key_limit % WORKERS)
    live.until(
        lambda: not live.going(list(asked)), "all have ended", 60 + RUNS / 10, lambda: live.going(list(asked))[:5]
    )

    events = _events(live, asked)
    assert all(sum(event["verb"] in ("succeed", "fail", "cancel") for event in told) == 1 for told in events.values())
    assert len(events) == len(asked)
    stretches = {run: _stretches(told) for run, told in events.items()}
    of: dict[tuple[str, ...], list[Stretch]] = defaultdict(list)
    for run, ask in asked.items():
        for group in (("queue",), ("tenant", ask.tenant), ("key", ask.tenant, ask.key)):
            of[group] += stretches[run]
    most = {group: _most(found) for group, found in of.items()}
    assert most["queue",] == LIMIT, "the queue was full, and never more than that"
    for kind, limit, least in (("tenant", TENANT_LIMIT, TENANT_LIMIT), ("key", key_limit, min(key_limit, 2))):
        assert least <= max(count for group, count in most.items() if group[0] == kind) <= limit
    _ended_as_asked(asked, events)


def _ended_as_asked(asked: dict[str, Asked], events: dict[str, list[dict[str, Any]]]) -> None:
    reasons = Counter(event["reason"] for told in events.values() for event in told if event["verb"] == "recover")
    assert set(reasons) == {"worker_lost"}, "a worker was lost with what it did"
    for run, told in events.items():
        last = told[-1]
        if last["verb"] != "succeed":
            assert last["reason"] in ("skipped", "superseded"), (asked[run], last)
            assert last["reason"] == "superseded" or asked[run].on_conflict == "skip"
