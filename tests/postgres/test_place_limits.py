"""When people change how many places there are, what executes goes on and counts; all else keeps to what was said last."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from scheduler.promotion import gates as gates_of
from tests.postgres.factory import World
from tests.postgres.ground import Ground
from tests.postgres.inside import Deaf


@pytest.fixture
def ground(own_world: World, monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setattr(gates_of, "FRESH_SECONDS", 0.0)  # what a test just wrote is seen by its next turn
    return Ground(own_world, Deaf(), slots=2)


def _busy(ground: Ground) -> list[UUID]:
    """Fill the slots with runs that are nobody else's rivals."""
    runs = [ground.accept("somebody") for _ in range(2)]
    assert ground.turn() == runs
    for run in runs:
        ground.begin(run)
    return runs


def _goes(ground: Ground, run: UUID) -> None:
    ground.begin(run)
    ground.end(run)


def test_a_run_with_a_key_that_executes_counts_when_tenants_are_limited_from_now_on(ground: Ground) -> None:
    keyed, other = ground.accept(concurrency_key="k"), ground.accept()
    assert set(ground.turn()) == {keyed, other}
    ground.begin(keyed)
    ground.rule(tenant_limit=1)
    ground.turn()
    ground.cancel(other)
    waiting = ground.accept()

    assert ground.turn() == []
    ground.end(keyed)
    assert ground.turn() == [waiting]


def test_a_run_with_a_key_that_has_its_place_asks_for_its_tenants_too(ground: Ground) -> None:
    busy = _busy(ground)
    keyed = [ground.accept(concurrency_key=key) for key in "ab"]
    ground.turn()
    ground.rule(tenant_limit=1)
    ground.turn()
    for run in busy:
        ground.end(run)

    assert ground.turn() + ground.turn() == keyed[:1]
    _goes(ground, keyed[0])
    assert ground.turn() == keyed[1:]


def test_a_run_that_somebody_decides_about_is_counted_later(ground: Ground) -> None:
    run = ground.accept()
    ground.turn()
    ground.rule(tenant_limit=1)
    with ground.somebody_decides_about(run):
        ground.turn()
    ground.turn()
    ground.accept()

    assert ground.turn() == []


@pytest.mark.parametrize("limit", ["key_limit", "tenant_limit"])
def test_what_has_a_place_beyond_a_lowered_limit_and_no_ticket_asks_again(ground: Ground, limit: str) -> None:
    fields: dict[str, Any] = {"concurrency_key": "k"} if limit == "key_limit" else {}
    ground.rule(**{limit: 3})
    busy = _busy(ground)
    low, *others = (ground.accept(priority=priority, **fields) for priority in (-1, 0, 0))
    ground.turn()
    ground.rule(**{limit: 1})
    ground.turn()
    for run in busy:
        ground.end(run)

    for run in (*others, low):
        assert ground.turn() == [run]
        _goes(ground, run)


def test_a_place_beyond_a_lowered_limit_is_taken_back_later_of_whom_somebody_decides_about(ground: Ground) -> None:
    ground.rule(key_limit=2)
    busy = _busy(ground)
    first, second = (ground.accept(concurrency_key="k") for _ in range(2))
    ground.turn()
    ground.rule(key_limit=1)
    with ground.somebody_decides_about(second):
        ground.turn()
    ground.turn()
    for run in busy:
        ground.end(run)

    assert ground.turn() == [first]


def test_who_was_parked_with_its_key_keeps_it_whatever_the_limit_is_by_then(ground: Ground) -> None:
    ground.rule(hold_keys=True, key_limit=2)
    runs = [ground.accept(concurrency_key="k") for _ in range(2)]
    ground.turn()
    for run in runs:
        ground.begin(run)
        ground.park(run)
    ground.rule(key_limit=1)
    ground.turn()
    for run in runs:
        ground.wake(run)

    assert set(ground.turn()) == set(runs)


def test_parked_runs_let_go_of_their_keys_when_their_queue_lets_them_hold_none_any_more(ground: Ground) -> None:
    ground.rule(hold_keys=True)
    parked, waiting = (ground.accept(concurrency_key="k") for _ in range(2))
    ground.turn()
    ground.begin(parked)
    ground.park(parked)
    assert ground.turn() == []
    ground.rule(hold_keys=False)
    ground.turn()

    assert ground.turn() == [waiting]


@pytest.mark.parametrize("how", ["gives way", "asks again"])
def test_who_gives_up_its_key_gives_up_its_tenants_place_too(ground: Ground, how: str) -> None:
    """Else it waits for its key, and who has that by now waits for its tenant: for ever."""
    ground.rule(tenant_limit=1, key_limit=1 if how == "gives way" else 2)
    busy = _busy_of_two(ground)
    low = ground.accept(concurrency_key="k", priority=-1)
    ground.turn()
    high = ground.accept(concurrency_key="k", priority=9 if how == "gives way" else 0)
    ground.turn()
    ground.rule(key_limit=1)
    ground.turn()
    for run in busy:
        ground.end(run)

    for run in (high, low):
        assert ground.turn() == [run]
        _goes(ground, run)


def _busy_of_two(ground: Ground) -> list[UUID]:
    """Fill the slots in a queue that limits its tenants."""
    runs = [ground.accept(tenant) for tenant in ("somebody", "another")]
    assert set(ground.turn()) == set(runs)
    for run in runs:
        ground.begin(run)
    return runs
