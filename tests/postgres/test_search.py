"""A search returns every matching run, once and in order, however little it may read and whatever arrives during it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.runs import paged_search
from api.runs.paged_search import search_page
from models.ids import earliest
from models.runs import search as searches
from models.runs.run_filter import Label, RunFilter
from models.runs.search import NEWEST, PLAN, Search
from tests.postgres.factory import World

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
RUNS = 120
PARENT = UUID(int=7)
_FILL = """
    INSERT INTO run (id, tenant, agent, queue, user_id, parent_run_id, status, pause_kind, ready_at, finished_at, created_at)
    SELECT id, tenant, agent, queue, user_id, parent, status, CASE WHEN status = 'PAUSED' THEN 'user' END,
        CASE WHEN status = 'QUEUED' THEN now() END,
        CASE WHEN status IN ('SUCCESS', 'FAILED', 'CANCELED') THEN now() END, created_at
    FROM unnest(%(ids)s::uuid[], %(tenants)s::text[], %(agents)s::text[], %(queues)s::text[], %(users)s::text[],
        %(parents)s::uuid[], %(statuses)s::text[], %(times)s::timestamptz[])
        AS made (id, tenant, agent, queue, user_id, parent, status, created_at)
    """
_LABELS = """
    INSERT INTO label (run_id, tenant, kind, name, value)
    SELECT id, tenant, 'tag', 'even', '' FROM run WHERE id = ANY(%(ids)s) AND get_byte(uuid_send(id), 15) %% 2 = 0
    UNION ALL SELECT id, tenant, 'metadata', 'third', (get_byte(uuid_send(id), 15) %% 3)::text FROM run WHERE id = ANY(%(ids)s)
    """
STATUSES = ("QUEUED", "PAUSED", "SUCCESS", "SUCCESS", "SUCCESS", "FAILED", "CANCELED")


def fill(world: World, numbers: Sequence[int]) -> None:
    """Create a run for each number, a minute after the one before; its properties depend on the number only."""
    moments = [FIRST + timedelta(minutes=n) for n in numbers]
    ids = [
        UUID(int=earliest(moment).int + (7 << 76) + (8 << 60) + n) for n, moment in zip(numbers, moments, strict=True)
    ]
    columns: dict[str, list[Any]] = {
        "ids": ids, "times": moments, "tenants": [f"t{n % 2}" for n in numbers], "agents": [f"a{n // 2 % 4}" for n in numbers],
        "queues": [f"q{n // 3 % 3}" for n in numbers], "users": [f"u{n % 3}" if n % 5 < 3 else None for n in numbers],
        "parents": [PARENT if n % 4 == 1 else None for n in numbers], "statuses": [STATUSES[n // 2 % 7] for n in numbers],
    }  # fmt: skip
    world.connection.execute(_FILL, columns)
    world.connection.execute(_LABELS, columns)


def naive(world: World, wanted: RunFilter, newest: UUID) -> list[UUID]:
    """Return the matches of the plainest query, among the runs up to the newest."""
    sql, params = wanted.condition()
    rows = world.connection.execute(
        f"SELECT id FROM run WHERE {sql} AND id <= %(newest)s ORDER BY id DESC", {**params, "newest": newest}
    )
    return [row["id"] for row in rows.fetchall()]


WANTED = st.builds(
    RunFilter,
    st.sampled_from(["t0", "t1", "t2"]),
    st.lists(st.sampled_from(["QUEUED", "RUNNING", "PAUSED", "SUCCESS", "FAILED", "CANCELED"]), max_size=3, unique=True),
    st.sampled_from([None, None, "processing", "paused", "terminal"]),
    st.sampled_from([None, None, "a1", "no"]),
    st.sampled_from([None, None, "q2"]),
    st.sampled_from([None, None, "u1", "no"]),
    st.sampled_from([None, None, None, PARENT]),
    st.lists(st.sampled_from([Label("tag", "even"), Label("metadata", "third", "1")]), max_size=2, unique=True),
    st.sampled_from([None, None, FIRST + timedelta(minutes=30)]),
    st.sampled_from([None, None, FIRST + timedelta(minutes=90)]),
)  # fmt: skip


@pytest.fixture
def filled(own_world: World) -> World:
    fill(own_world, range(RUNS))
    own_world.connection.execute(PLAN.replace("LOCAL ", ""))
    return own_world


def test_pages_together_are_what_is_meant_without_repeat_and_in_order(
    filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = RUNS

    @settings(max_examples=60)
    @given(WANTED, st.integers(1, 7), st.integers(1, 9), st.integers(1, 30))
    def pages_are_exact(wanted: RunFilter, limit: int, stretch: int, most: int) -> None:
        nonlocal arrived
        monkeypatch.setattr(searches, "STRETCH", stretch)
        monkeypatch.setattr(searches, "LABELLED", stretch)
        monkeypatch.setattr(paged_search, "MOST_LOOKED_AT", most)
        newest = filled.connection.execute("SELECT id FROM run ORDER BY id DESC LIMIT 1").fetchone()
        assert newest
        expected = naive(filled, wanted, newest["id"])
        found, below = list[UUID](), UUID(int=newest["id"].int + 1)
        while True:
            page = search_page(filled.connection, Search(wanted), below, limit)
            assert len(page.runs) <= limit
            found += [run.id for run in page.runs]
            if page.below is None:
                break
            assert page.below < below
            below = page.below
            if arrived < RUNS + 40:
                fill(filled, [arrived])
                arrived += 1
        assert found == expected

    pages_are_exact()


def test_a_page_may_be_empty_and_still_say_where_to_go_on(filled: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "STRETCH", 10)
    monkeypatch.setattr(paged_search, "MOST_LOOKED_AT", 20)
    page = search_page(filled.connection, Search(RunFilter("t0", agent="no")), NEWEST, 5)

    assert page.runs == []
    ids = naive(filled, RunFilter("t0"), NEWEST)
    assert page.below == ids[19]


def test_a_search_that_takes_long_stops_after_the_stretch_under_way(
    filled: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searches, "STRETCH", 10)
    monkeypatch.setattr(paged_search, "ENOUGH_SECONDS", -1.0)
    page = search_page(filled.connection, Search(RunFilter("t0", agent="no")), NEWEST, 5)

    assert page.below == naive(filled, RunFilter("t0"), NEWEST)[9]
