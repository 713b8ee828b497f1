"""Turns of reads: a waiting read leaves nothing behind, and calls that write go first."""

from __future__ import annotations

import asyncio

import pytest

from api.http import fair_use
from api.http.fair_places import CallOwner, Places
from api.http.fair_use import READS_PER_KEY, FairUse, without_turn
from api.http.problems import Problem

A, B, C = (CallOwner(key, "acme") for key in "abc")
OTHER = CallOwner("d", "other")


def test_a_key_a_tenant_and_all_together_have_their_few_places() -> None:
    async def act() -> None:
        places = Places(2, 3, 4)
        for whose in (A, A, B, OTHER):
            await places.take(whose, 0.01)
        for whose in (A, B, OTHER):
            with pytest.raises(Problem, match="rate_limited"):
                await places.take(whose, 0.01)
        places.give_back(OTHER)
        for whose in (A, B):  # a place is free, but not for their tenant
            with pytest.raises(Problem, match="rate_limited"):
                await places.take(whose, 0.01)
        places.give_back(A)
        await places.take(B, 0.01)

    asyncio.run(act())


def test_one_that_is_refused_or_ended_while_it_waits_leaves_nothing_behind() -> None:
    async def act() -> None:
        places = Places(1, 1, 1)
        await places.take(A)
        waiting = [asyncio.create_task(places.take(whose)) for whose in (A, B, C)]
        await asyncio.sleep(0)
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        with pytest.raises(Problem, match="rate_limited"):
            await places.take(B, 0.01)
        places.give_back(A)
        assert not places._own
        await places.take(B, 0.01)

    asyncio.run(act())


def test_a_read_lets_writes_go_first_and_steady_writes_keep_it_away_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def act() -> None:
        monkeypatch.setattr(fair_use, "WRITES_FIRST_SECONDS", 60)
        turns = FairUse(2)
        with turns.write():
            reading = asyncio.create_task(turns.read(A))
            await asyncio.sleep(0.01)
            assert not reading.done()
        (await reading).end()
        monkeypatch.setattr(fair_use, "WRITES_FIRST_SECONDS", 0.001)
        with turns.write():
            (await turns.read(A)).end()

    asyncio.run(act())


def test_a_call_that_waits_aside_leaves_its_place_and_takes_it_again_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fair_use, "PATIENCE_SECONDS", 0.01)

    async def act() -> None:
        turns = FairUse(2)

        async def fill() -> list[fair_use.Turn]:
            return [await turns.read(A) for _ in range(READS_PER_KEY)]

        turn = await turns.read(A)
        async with without_turn():
            for one in await asyncio.create_task(fill()):
                one.end()
                one.end()
        with pytest.raises(Problem, match="rate_limited"):
            await asyncio.create_task(fill())
        turn.end()

    asyncio.run(act())
