"""Tenants share the promotions by weight, kinds of runs take turns, and no tenant waits for more than the others' share."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import islice
from uuid import UUID

import pytest

from models.fleet import queue_settings
from models.runs.enqueue import NewRun, enqueue
from tests.postgres.database_setup import QUEUE, DatabaseSetup
from tests.postgres.factory import AGENT

WEIGHTS = {"light": 1.0, "middle": 2.0, "heavy": 4.0}
PROMOTIONS = 1000
# As `enqueue` would have left them; their events, which no promotion reads, are omitted.
_BACKLOG = """
    WITH queued AS (
        INSERT INTO run (id, tenant, agent, queue, ready_at, fair_tag, seq)
        SELECT gen_random_uuid(), 'big', %(agent)s, %(queue)s, now(), n / %(weight)s::float8, 1
        FROM generate_series(1, %(count)s) AS n RETURNING id
    ), paid AS (
        INSERT INTO payload (run_id, tenant, input) SELECT id, 'big', '{}' FROM queued
    ), weighed AS (
        INSERT INTO tenant_share (queue, tenant, weight) VALUES (%(queue)s, 'big', %(weight)s)
    )
    INSERT INTO tenant_tag (queue, priority, tenant, last_tag)
    VALUES (%(queue)s, 0, 'big', %(count)s / %(weight)s::float8)
    """


def _weigh(setup: DatabaseSetup, weights: dict[str, float]) -> None:
    """Set weights as PUT /v1/queues does."""
    with setup.connection.transaction():
        queue_settings.change_queue(setup.connection, QUEUE, {"weights": weights})


def _accept(setup: DatabaseSetup, tenant: str, count: int) -> None:
    enqueue(setup.connection, tenant, [NewRun(agent=AGENT, queue=QUEUE, input="{}") for _ in range(count)])


def _tenants(setup: DatabaseSetup, runs: Sequence[UUID]) -> list[str]:
    rows = setup.connection.execute("SELECT id, tenant FROM run WHERE id = ANY(%s)", [list(runs)]).fetchall()
    of = {row["id"]: row["tenant"] for row in rows}
    return [of[run] for run in runs]


def _promotions(setup: DatabaseSetup, *, park: bool = False) -> Iterator[UUID]:
    """Promote without end: each promoted run ends immediately, or parks and wakes immediately."""
    while runs := setup.turn():
        yield from runs
        for run in runs:
            setup.begin(run)
            if park:
                setup.park(run)
                setup.wake(run)
            else:
                setup.end(run)


def _are_shared_by_weight(seen: Counter[str]) -> None:
    whole, weights = sum(seen.values()), sum(WEIGHTS.values())
    for tenant, weight in WEIGHTS.items():
        assert seen[tenant] == pytest.approx(whole * weight / weights, rel=0.05), seen


@pytest.mark.parametrize("first", sorted(WEIGHTS))
def test_tenants_with_unequal_backlogs_share_by_weight(setup: DatabaseSetup, first: str) -> None:
    _weigh(setup, WEIGHTS)
    backlogs = {"light": 3000, "middle": 400, "heavy": 900}
    for tenant in sorted(backlogs, key=lambda tenant: tenant != first):
        _accept(setup, tenant, backlogs[tenant])
    promoted = list(islice(_promotions(setup), PROMOTIONS))

    _are_shared_by_weight(Counter(_tenants(setup, promoted)))


def test_tenants_whose_runs_come_one_by_one_share_by_weight_too(setup: DatabaseSetup) -> None:
    """Each tenant always has waiting runs, and the light one enqueues many together."""
    _weigh(setup, WEIGHTS)
    promotions, promoted = _promotions(setup), list[UUID]()
    for turn in range(PROMOTIONS // setup.slots):
        for tenant, count in (("light", 60 if turn % 20 == 0 else 0), ("middle", 3), ("heavy", 6)):
            _accept(setup, tenant, count) if count else None
        promoted += islice(promotions, setup.slots)

    _are_shared_by_weight(Counter(_tenants(setup, promoted)))


def test_tenants_whose_runs_wake_all_the_time_share_by_weight(setup: DatabaseSetup) -> None:
    _weigh(setup, WEIGHTS)
    for tenant, count in {"light": 40, "middle": 15, "heavy": 25}.items():
        _accept(setup, tenant, count)
    promotions = _promotions(setup, park=True)
    list(islice(promotions, 400))  # until all have begun and are in their steady order
    promoted = list(islice(promotions, PROMOTIONS))

    _are_shared_by_weight(Counter(_tenants(setup, promoted)))


@pytest.mark.parametrize(("weight", "share", "backlog"), [(1, 1, 100_000), (4, 4, 5_000), (0.5, 1, 5_000)])
def test_a_backlog_of_any_length_delays_another_tenants_run_by_no_more_than_its_share(
    setup: DatabaseSetup, weight: float, share: int, backlog: int
) -> None:
    setup.connection.execute(_BACKLOG, {"agent": AGENT, "queue": QUEUE, "weight": weight, "count": backlog})
    promotions = _promotions(setup)
    list(islice(promotions, 3 * setup.slots))
    run = setup.accept("small")

    assert list(islice(promotions, setup.slots)).index(run) <= share


def test_a_backlog_that_an_urgent_run_of_its_own_tenant_overtook_delays_others_no_more_than_before(
    setup: DatabaseSetup,
) -> None:
    setup.connection.execute(_BACKLOG, {"agent": AGENT, "queue": QUEUE, "weight": 1, "count": 1000})
    promotions = _promotions(setup)
    urgent = setup.accept("big", priority=9)
    assert next(promotions) == urgent
    run = setup.accept("small")

    assert run in list(islice(promotions, 2 * setup.slots))


def test_new_started_keyed_and_limited_runs_of_one_priority_all_have_their_turns(setup: DatabaseSetup) -> None:
    """Half of the slots are enough for each kind: all wait all the time, and no kind starves another."""
    setup.connection.execute("UPDATE worker SET slots = 4")
    setup.rule(tenant_limit=4)
    _accept(setup, "started", 12)
    started: set[UUID] = set()
    while len(started) < 12:
        for run in setup.turn():
            setup.begin(run)
            setup.park(run)
            started.add(run)
    for run in started:
        setup.wake(run)
    setup.rule(tenant_limit=1)
    kinds = dict.fromkeys(started, "started")
    waiting = {kind: deque[UUID]() for kind in ("new", "keyed", "limited")}
    for n in range(240):
        kind = ("new", "keyed", "limited")[n % 3]
        run = setup.accept(kind, concurrency_key="k" if kind == "keyed" else None)
        kinds[run] = kind
        waiting[kind].append(run)
    setup.rule(tenant_limit=4)
    order: list[str] = []
    while len(order) < 400:
        for run in setup.turn():
            order.append(kinds[run])
            setup.begin(run)
            if kinds[run] == "started":
                setup.park(run)
                setup.wake(run)
            else:
                setup.end(run)
                assert run == waiting[kinds[run]].popleft(), "each kind in its order"

    seen = Counter(order[:400])
    assert seen["started"] == pytest.approx(300, abs=4)
    assert all(seen[kind] == pytest.approx(100 / 3, abs=4) for kind in waiting), seen
    assert all(set(order[n : n + 4]) != {"started"} for n in range(397)), "of four promotions one is new"
