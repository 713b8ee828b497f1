"""When the number of places changes, executing runs continue and count; all other runs follow the newest setting."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from scheduler.promotion import gates as gates_of
from tests.postgres.database_setup import DatabaseSetup
from tests.postgres.factory import World


@pytest.fixture
def setup(own_world: World, monkeypatch: pytest.MonkeyPatch) -> DatabaseSetup:
    monkeypatch.setattr(gates_of, "FRESH_SECONDS", 0.0)  # what a test just wrote is seen by its next turn
    return DatabaseSetup(own_world, slots=2)


def _busy(setup: DatabaseSetup) -> list[UUID]:
    """Fill the slots with runs that compete with no other run."""
    runs = [setup.accept("somebody") for _ in range(2)]
    assert setup.turn() == runs
    for run in runs:
        setup.begin(run)
    return runs


def _goes(setup: DatabaseSetup, run: UUID) -> None:
    setup.begin(run)
    setup.end(run)


def test_a_run_with_a_key_that_executes_counts_when_tenants_are_limited_from_now_on(setup: DatabaseSetup) -> None:
    keyed, other = setup.accept(concurrency_key="k"), setup.accept()
    assert set(setup.turn()) == {keyed, other}
    setup.begin(keyed)
    setup.rule(tenant_limit=1)
    setup.turn()
    setup.cancel(other)
    waiting = setup.accept()

    assert setup.turn() == []
    setup.end(keyed)
    assert setup.turn() == [waiting]


def test_a_run_with_a_key_that_has_its_place_asks_for_its_tenants_too(setup: DatabaseSetup) -> None:
    busy = _busy(setup)
    keyed = [setup.accept(concurrency_key=key) for key in "ab"]
    setup.turn()
    setup.rule(tenant_limit=1)
    setup.turn()
    for run in busy:
        setup.end(run)

    assert setup.turn() + setup.turn() == keyed[:1]
    _goes(setup, keyed[0])
    assert setup.turn() == keyed[1:]


def test_a_run_that_somebody_decides_about_is_counted_later(setup: DatabaseSetup) -> None:
    run = setup.accept()
    setup.turn()
    setup.rule(tenant_limit=1)
    with setup.somebody_decides_about(run):
        setup.turn()
    setup.turn()
    setup.accept()

    assert setup.turn() == []


@pytest.mark.parametrize("limit", ["key_limit", "tenant_limit"])
def test_what_has_a_place_beyond_a_lowered_limit_and_no_ticket_asks_again(setup: DatabaseSetup, limit: str) -> None:
    fields: dict[str, Any] = {"concurrency_key": "k"} if limit == "key_limit" else {}
    setup.rule(**{limit: 3})
    busy = _busy(setup)
    low, *others = (setup.accept(priority=priority, **fields) for priority in (-1, 0, 0))
    setup.turn()
    setup.rule(**{limit: 1})
    setup.turn()
    for run in busy:
        setup.end(run)

    for run in (*others, low):
        assert setup.turn() == [run]
        _goes(setup, run)


def test_a_place_beyond_a_lowered_limit_is_taken_back_later_of_whom_somebody_decides_about(
    setup: DatabaseSetup,
) -> None:
    setup.rule(key_limit=2)
    busy = _busy(setup)
    first, second = (setup.accept(concurrency_key="k") for _ in range(2))
    setup.turn()
    setup.rule(key_limit=1)
    with setup.somebody_decides_about(second):
        setup.turn()
    setup.turn()
    for run in busy:
        setup.end(run)

    assert setup.turn() == [first]


def test_who_was_parked_with_its_key_keeps_it_whatever_the_limit_is_by_then(setup: DatabaseSetup) -> None:
    setup.rule(hold_keys=True, key_limit=2)
    runs = [setup.accept(concurrency_key="k") for _ in range(2)]
    setup.turn()
    for run in runs:
        setup.begin(run)
        setup.park(run)
    setup.rule(key_limit=1)
    setup.turn()
    for run in runs:
        setup.wake(run)

    assert set(setup.turn()) == set(runs)


def test_parked_runs_let_go_of_their_keys_when_their_queue_lets_them_hold_none_any_more(setup: DatabaseSetup) -> None:
    setup.rule(hold_keys=True)
    parked, waiting = (setup.accept(concurrency_key="k") for _ in range(2))
    setup.turn()
    setup.begin(parked)
    setup.park(parked)
    assert setup.turn() == []
    setup.rule(hold_keys=False)
    setup.turn()

    assert setup.turn() == [waiting]


@pytest.mark.parametrize("how", ["gives way", "asks again"])
def test_who_gives_up_its_key_gives_up_its_tenants_place_too(setup: DatabaseSetup, how: str) -> None:
    """Otherwise it waits for its key, and the present holder of that waits for its tenant: forever."""
    setup.rule(tenant_limit=1, key_limit=1 if how == "gives way" else 2)
    busy = _busy_of_two(setup)
    low = setup.accept(concurrency_key="k", priority=-1)
    setup.turn()
    high = setup.accept(concurrency_key="k", priority=9 if how == "gives way" else 0)
    setup.turn()
    setup.rule(key_limit=1)
    setup.turn()
    for run in busy:
        setup.end(run)

    for run in (high, low):
        assert setup.turn() == [run]
        _goes(setup, run)


def _busy_of_two(setup: DatabaseSetup) -> list[UUID]:
    """Fill the slots in a queue that limits its tenants."""
    runs = [setup.accept(tenant) for tenant in ("somebody", "another")]
    assert set(setup.turn()) == set(runs)
    for run in runs:
        setup.begin(run)
    return runs
