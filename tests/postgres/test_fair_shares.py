"""Tenants share the promotions by weight, kinds of runs take turns, and nobody waits for more than the others' share."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import islice
from uuid import UUID

import pytest

from models.fleet import queue_settings
from models.runs.enqueue import NewRun, enqueue
from tests.postgres.factory import AGENT
from tests.postgres.ground import QUEUE, Ground

WEIGHTS = {"light": 1.0, "middle": 2.0, "heavy": 4.0}
PROMOTIONS = 1000
BACKLOG = 100_000
# As `enqueue` would have left them; their events, which no promotion reads, are left out.
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


def _weigh(ground: Ground, weights: dict[str, float]) -> None:
    """Say it as PUT /v1/queues does."""
    with ground.connection.transaction():
        queue_settings.change_queue(ground.connection, QUEUE, {"weights": weights})


def _accept(ground: Ground, tenant: str, count: int) -> None:
    enqueue(ground.connection, tenant, [NewRun(agent=AGENT, queue=QUEUE, input="{}") for _ in range(count)])


def _tenants(ground: Ground, runs: Sequence[UUID]) -> list[str]:
    rows = ground.connection.execute("SELECT id, tenant FROM run WHERE id = ANY(%s)", [list(runs)]).fetchall()
    of = {row["id"]: row["tenant"] for row in rows}
    return [of[run] for run in runs]


def _promotions(ground: Ground, *, park: bool = False) -> Iterator[UUID]:
    """Promote for ever: what is promoted is done at once, or parks and wakes at once."""
    while runs := ground.turn():
        yield from runs
        for run in runs:
            ground.begin(run)
            if park:
                ground.park(run)
                ground.wake(run)
            else:
                ground.end(run)


def _are_shared_by_weight(seen: Counter[str]) -> None:
    whole, weights = sum(seen.values()), sum(WEIGHTS.values())
    for tenant, weight in WEIGHTS.items():
        assert seen[tenant] == pytest.approx(whole * weight / weights, rel=0.05), seen


@pytest.mark.parametrize("first", sorted(WEIGHTS))
def test_tenants_with_unequal_backlogs_share_by_weight(ground: Ground, first: str) -> None:
    _weigh(ground, WEIGHTS)
    backlogs = {"light": 3000, "middle": 400, "heavy": 900}
    for tenant in sorted(backlogs, key=lambda tenant: tenant != first):
        _accept(ground, tenant, backlogs[tenant])
    promoted = list(islice(_promotions(ground), PROMOTIONS))

    _are_shared_by_weight(Counter(_tenants(ground, promoted)))


def test_tenants_whose_runs_come_one_by_one_share_by_weight_too(ground: Ground) -> None:
    """Each has always some that wait, and the light one comes with many at once."""
    _weigh(ground, WEIGHTS)
    promotions, promoted = _promotions(ground), list[UUID]()
    for turn in range(PROMOTIONS // ground.slots):
        for tenant, count in (("light", 60 if turn % 20 == 0 else 0), ("middle", 3), ("heavy", 6)):
            _accept(ground, tenant, count) if count else None
        promoted += islice(promotions, ground.slots)

    _are_shared_by_weight(Counter(_tenants(ground, promoted)))


def test_tenants_whose_runs_wake_all_the_time_share_by_weight(ground: Ground) -> None:
    _weigh(ground, WEIGHTS)
    for tenant, count in {"light": 40, "middle": 15, "heavy": 25}.items():
        _accept(ground, tenant, count)
    promotions = _promotions(ground, park=True)
    list(islice(promotions, 400))  # until all have begun and stand where they belong
    promoted = list(islice(promotions, PROMOTIONS))

    _are_shared_by_weight(Counter(_tenants(ground, promoted)))


@pytest.mark.parametrize(("weight", "share"), [(1, 1), (4, 4), (0.5, 1)])
def test_a_backlog_of_a_hundred_thousand_delays_another_tenants_run_by_no_more_than_its_share(
    ground: Ground, weight: float, share: int
) -> None:
    ground.connection.execute(_BACKLOG, {"agent": AGENT, "queue": QUEUE, "weight": weight, "count": BACKLOG})
    promotions = _promotions(ground)
    list(islice(promotions, 3 * ground.slots))
    run = ground.accept("small")

    assert list(islice(promotions, ground.slots)).index(run) <= share


def test_a_backlog_that_an_urgent_run_of_its_own_tenant_overtook_delays_others_no_more_than_before(
    ground: Ground,
) -> None:
    ground.connection.execute(_BACKLOG, {"agent": AGENT, "queue": QUEUE, "weight": 1, "count": 1000})
    promotions = _promotions(ground)
    urgent = ground.accept("big", priority=9)
    assert next(promotions) == urgent
    run = ground.accept("small")

    assert run in list(islice(promotions, 2 * ground.slots))


def test_new_started_keyed_and_limited_runs_of_one_priority_all_have_their_turns(ground: Ground) -> None:
    """Half of the slots are enough for each kind: all wait all the time, and no kind starves another."""
    ground.connection.execute("UPDATE worker SET slots = 4")
    ground.rule(tenant_limit=4)
    _accept(ground, "started", 12)
    started: set[UUID] = set()
    while len(started) < 12:
        for run in ground.turn():
            ground.begin(run)
            ground.park(run)
            started.add(run)
    for run in started:
        ground.wake(run)
    ground.rule(tenant_limit=1)
    kinds = dict.fromkeys(started, "started")
    waiting = {kind: deque[UUID]() for kind in ("new", "keyed", "limited")}
    for n in range(240):
        kind = ("new", "keyed", "limited")[n % 3]
        run = ground.accept(kind, concurrency_key="k" if kind == "keyed" else None)
        kinds[run] = kind
        waiting[kind].append(run)
    ground.rule(tenant_limit=4)
    order: list[str] = []
    while len(order) < 400:
        for run in ground.turn():
            order.append(kinds[run])
            ground.begin(run)
            if kinds[run] == "started":
                ground.park(run)
                ground.wake(run)
            else:
                ground.end(run)
                assert run == waiting[kinds[run]].popleft(), "each kind in its order"

    seen = Counter(order[:400])
    assert seen["started"] == pytest.approx(300, abs=4)
    assert all(seen[kind] == pytest.approx(100 / 3, abs=4) for kind in waiting), seen
    assert all(set(order[n : n + 4]) != {"started"} for n in range(397)), "of four promotions one is new"
