"""However many runs have ended, a page, a count and the capacity read a bounded number of entries: PostgreSQL counts them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from api.installation.queue_capacity import _CAPACITY
from models.operations import bulk
from models.operations.bulk import STRETCHES, Action
from models.runs.run_filter import Label, RunFilter
from models.runs.search import LABELLED, NEWEST, PLAN, STRETCH, Search
from models.statement import Statement
from tests.postgres.factory import World
from tests.postgres.plans import nodes_of, own_database, plan_of, rows_read, scans_of

RUNS, LIVE = 100_000, 30
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
PARENT = UUID(int=7)
_FILL = f"""
    INSERT INTO run (id, tenant, agent, queue, user_id, parent_run_id, status, finished_at, created_at)
    SELECT (lpad(to_hex(1772323200000::bigint + n * 1000), 12, '0') || '7' || substr(md5(n::text), 1, 3)
            || '8' || substr(md5(n::text), 4, 15))::uuid,
        't' || n % 3, 'agent' || n / 3 % 7, 'queue' || n / 7 % 3, CASE WHEN n % 2 = 0 THEN 'user' || n % 10 END,
        CASE WHEN n % 2 = 1 THEN '{PARENT}'::uuid END,
        CASE WHEN n % 10 = 1 THEN 'FAILED' WHEN n % 10 = 2 THEN 'CANCELED' ELSE 'SUCCESS' END,
        now(), '2026-03-01 UTC'::timestamptz + n * interval '1 s'
    FROM generate_series(1, {RUNS}) AS n
    """
_LABELS = "INSERT INTO label (run_id, tenant, kind, name) SELECT id, tenant, 'tag', 'common' FROM run"
WANTED: dict[str, tuple[RunFilter, str]] = {
    "all": (RunFilter("t0"), "run_tenant"),
    "success": (RunFilter("t0", ["SUCCESS"], agent="no"), "run_tenant"),
    "terminal": (RunFilter("t0", category="terminal", agent="no"), "run_tenant"),
    "failed": (RunFilter("t0", ["FAILED"], agent="no"), "run_unhappy"),
    "failed, canceled": (RunFilter("t2", ["FAILED", "CANCELED"], queue="no"), "run_unhappy"),
    "queued": (RunFilter("t0", ["QUEUED"]), "run_open"),
    "paused": (RunFilter("t2", category="paused"), "run_open"),
    "agent": (RunFilter("t0", agent="no"), "run_tenant"),
    "queue": (RunFilter("t2", queue="no"), "run_tenant"),
    "user": (RunFilter("t0", user_id="user4", agent="no"), "run_user"),
    "user of none": (RunFilter("t1", user_id="no"), "run_user"),
    "parent": (RunFilter("t0", parent=PARENT, agent="no"), "run_children"),
    "before": (RunFilter("t0", created_before=FIRST + timedelta(hours=3)), "run_tenant"),
    "after": (RunFilter("t0", created_after=FIRST + timedelta(hours=27), agent="no"), "run_tenant"),
    "tag": (RunFilter("t0", labels=[Label("tag", "common")], agent="no"), "label_search"),
    "tags": (RunFilter("t0", labels=[Label("tag", "common"), Label("tag", "no")]), "label_search"),
    "tag, failed": (RunFilter("t0", ["FAILED"], labels=[Label("tag", "common")]), "label_search"),
}


@pytest.fixture(scope="module")
def crowd(servers: Any, template_database: str) -> Iterator[World]:
    """Return a database with a long history, few live runs, and the session set up as for a search."""
    with own_database(servers, template_database) as world:
        world.connection.execute(_FILL)
        world.connection.execute(_LABELS)
        for _ in range(LIVE):
            world.run("queued", tenant="t0")
        world.connection.execute("INSERT INTO queue (name) VALUES ('default'), ('queue1') ON CONFLICT DO NOTHING")
        world.connection.execute("VACUUM ANALYZE")
        world.connection.execute(PLAN.replace("LOCAL ", ""))
        yield world


@pytest.fixture(scope="module")
def newborn(servers: Any, template_database: str) -> Iterator[World]:
    """Return a database as on its first day, whose plans are kept."""
    with own_database(servers, template_database) as world:
        for n in range(5):
            world.run("queued", tenant=f"t{n}")
        world.connection.execute("VACUUM ANALYZE")
        world.connection.execute(PLAN.replace("LOCAL ", ""))
        yield world


def _statements(wanted: RunFilter) -> list[Statement]:
    search = Search(wanted)
    return [search.find(NEWEST, 201), search.reached(NEWEST)]


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("name", WANTED)
def test_a_stretch_reads_no_more_than_its_bound_whatever_is_asked_for(crowd: World, name: str, generic: bool) -> None:
    wanted, index = WANTED[name]
    bound = LABELLED if wanted.labels else STRETCH
    for statement in _statements(wanted):
        plan = plan_of(crowd, statement.sql, statement.params, generic=generic, analyze=True)

        assert index in {node.get("Index Name") for node in nodes_of(plan)}
        assert rows_read(plan, "run") <= bound
        assert rows_read(plan, "label") <= bound * (1 + len(wanted.labels))
        assert not [node for node in nodes_of(plan) if node["Node Type"] in ("Sort", "Seq Scan")]


@pytest.mark.parametrize("name", WANTED)
def test_no_search_prepared_on_the_first_day_reads_by_another_index(newborn: World, name: str) -> None:
    wanted, index = WANTED[name]
    for statement in _statements(wanted):
        scans = scans_of(newborn, statement.sql, statement.params, generic=True)
        allowed = {"label_search", "run_pkey"} if wanted.labels else {index}

        assert index in set[str]().union(*scans.values())
        assert scans.get("run", set()) <= allowed
        assert scans.get("label", set()) <= {"label_search", "label_pkey"}


@pytest.mark.parametrize("labels", [(), (Label("tag", "common"),)])
@pytest.mark.parametrize("action", Action)
def test_what_many_runs_are_counted_for_reads_few_of_the_history(
    crowd: World, action: Action, labels: tuple[Label, ...]
) -> None:
    wanted = RunFilter("t0", agent="agent1", labels=labels)
    for search in (Search(wanted, bulk._AMONG[action]), Search(wanted, bulk._AMONG[action], labels=False)):
        statement = bulk.counting(action, search)
        plan = plan_of(crowd, statement.sql, statement.params, generic=False, analyze=True)
        ended = action is Action.RETRY or (labels and search.labels)

        assert rows_read(plan, "run") <= (STRETCHES * search.entries if ended else LIVE)


def test_a_count_that_the_label_makes_too_long_is_taken_from_the_runs_that_live(crowd: World) -> None:
    counted = bulk.count(crowd.connection, Action.CANCEL, RunFilter("t0", labels=[Label("tag", "common")]))
    assert (counted.matched, counted.whole) == (0, True)
    counted = bulk.count(crowd.connection, Action.RETRY, RunFilter("t1", labels=[Label("tag", "common")]))
    assert counted.whole
    assert counted.matched in range(RUNS // 15, RUNS // 15 + 2)


@pytest.mark.parametrize("generic", [False, True])
def test_capacity_reads_the_runs_that_have_not_ended_and_no_others(crowd: World, generic: bool) -> None:
    if generic:
        crowd.connection.execute("SET plan_cache_mode = force_generic_plan")
    plan = plan_of(crowd, str(_CAPACITY), {}, generic=generic, analyze=True)
    crowd.connection.execute("RESET plan_cache_mode")

    assert {node["Index Name"] for node in nodes_of(plan) if node.get("Relation Name") == "run"} == {"run_open"}
    assert rows_read(plan, "run") == LIVE
