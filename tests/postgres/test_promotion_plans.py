"""A tick of the leader reads only the rows of its decisions, whatever waits: each of its statements, by its own plans."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from models.promotion.tickets import Ticket
from models.runtime.database import set_up
from models.runtime.settings import Settings
from scheduler.__main__ import _duties
from scheduler.promotion import republication
from tests.postgres.factory import World
from tests.postgres.plans import own_database, plan_of, read_whole
from tests.postgres.stepping import do

CROWD = 10_000
FREE, OUT, SHUT, LEASED = 40, 5_000, 5, 20
# Some of each kind of run that promotion must not read: ready ones further behind, those behind a gate or without a worker,
# those in a line or before their time, parked and ended ones.
_KINDS: dict[str, dict[str, str]] = {
    "ready": {},
    "resumed": {"resumed": "TRUE"},
    "behind a closed window": {"window_name": "'night'"},
    "of an agent that nobody serves": {"agent": "'nobodys'"},
    "of another queue": {"queue": "'elsewhere'"},
    "in a line": {"blocked_on": "'key:default' || chr(10) || 'acme' || chr(10) || 'k'", "concurrency_key": "'k'"},
    "not yet due": {"blocked_on": "'not_before'", "blocked_until": "now() + interval '1 day'"},
    "held": {"control_request": "'pause'"},
    "parked": {"status": "'PAUSED'", "pause_kind": "'approval'", "ready_at": "NULL"},
    "over": {"status": "'SUCCESS'", "finished_at": "now()", "ready_at": "NULL"},
}
# The work of a tick, the same however many runs wait: unclaimed tickets, a gate that closed behind some of them, gates to
# lift, and the runs of a dead worker.
_LEASE = {"status": "'RUNNING'", "ready_at": "NULL", "epoch": "1", "claimed_at": "now() - interval '2 s'"}
_WORK: dict[str, tuple[int, dict[str, str]]] = {
    "tickets": (OUT, {"ticket_at": "now() - interval '6 s'", "ticket_n": "1", "epoch": "1"}),
    "tickets of a closed window": (SHUT, {"ticket_at": "now()", "ticket_n": "1", "window_name": "'night'"}),
    "executing": (LEASED, {**_LEASE, "lease_worker": "%(live)s"}),
    "orphans": (5, {**_LEASE, "lease_worker": "%(dead)s"}),
    "declined": (5, {"blocked_on": "'declined'", "blocked_until": "now() - interval '1 s'"}),
}
_WINDOW = """
    INSERT INTO "window" (name, cron, duration_ms, timezone, on_close, override, override_by, override_until)
    VALUES ('night', '0 0 * * *', 3600000, 'UTC', 'pause', 'closed', 'ann', now() + interval '1 day')
    """
_READ = """
    SELECT indexrelname AS name, idx_tup_read AS entries FROM pg_stat_user_indexes WHERE relname = 'run'
    UNION ALL SELECT 'the table, whole', seq_tup_read FROM pg_stat_user_tables WHERE relname = 'run'
    """


class Noting(psycopg.Cursor[Any]):
    """A cursor that keeps its requests, by the text of the statement."""

    asked: dict[str, Mapping[str, Any]]

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        self.asked.setdefault(str(query), params or {})
        return super().execute(query, params, **options)


@dataclass
class Publisher:
    """A publisher that keeps what it receives."""

    tickets: list[Ticket] = field(default_factory=list)

    def publish(self, tickets: list[Ticket]) -> None:
        self.tickets += tickets


@dataclass
class Leader:
    """The leader's session in one database, and the statements of a first tick of all its duties."""

    session: psycopg.Connection[Any]
    published: int
    asked: dict[str, Mapping[str, Any]]
    entries: dict[str, int]

    @property
    def of_runs(self) -> dict[str, Mapping[str, Any]]:
        """Return the statements that name the table of runs."""
        return {sql: params for sql, params in self.asked.items() if re.search(r"\brun\b", sql)}


def _fill(world: World, crowd: int) -> None:
    live = world.worker(slots=FREE + OUT + SHUT + LEASED, consuming_at="now")
    dead = world.worker(queue="elsewhere", dead_at="now")
    for name in ("default", "elsewhere"):
        world.connection.execute("INSERT INTO queue (name) VALUES (%s)", [name])
    world.connection.execute(_WINDOW)
    for count, columns in [*((crowd, columns) for columns in _KINDS.values()), *_WORK.values()]:
        texts = {
            "tenant": "'t' || n %% 100",
            "agent": "'echo'",
            "queue": "'default'",
            "fair_tag": "n",
            "ready_at": "now()",
        }
        texts |= columns
        sql = f"""INSERT INTO run (id, seq, {", ".join(texts)}) SELECT uuidv7(), 1, {", ".join(texts.values())}
            FROM generate_series(1, %(count)s) AS n"""
        world.connection.execute(sql, {"count": count, "live": live, "dead": dead})
    world.connection.execute("INSERT INTO payload (run_id, tenant, input) SELECT id, tenant, '{}' FROM run")
    world.connection.execute("VACUUM ANALYZE")


def _entries(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Return how many entries of runs were read so far, by index."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    with psycopg.Cursor(connection, row_factory=dict_row) as cursor:
        return {row["name"]: row["entries"] for row in cursor.execute(_READ).fetchall()}


@contextmanager
def _leader(servers: Any, template: str, crowd: int) -> Iterator[Leader]:
    noting: Any = type("Noting", (Noting,), {"asked": {}})
    with own_database(servers, template) as world, pytest.MonkeyPatch.context() as patience:
        session = world.connection
        set_up(session)
        _fill(world, crowd)
        before = _entries(session)
        publisher, session.cursor_factory = Publisher(), noting
        patience.setattr(republication, "DEADLINE_SECONDS", 0)  # the queue has had free slots for long
        for duty in _duties(Settings(secret_key="k" * 16), publisher):  # type: ignore[arg-type]  # all that it wants of one
            do(duty, session)
        session.cursor_factory = psycopg.Cursor
        entries = {index: read - before[index] for index, read in _entries(session).items()}
        yield Leader(session, len(publisher.tickets), noting.asked, entries)


@pytest.fixture(scope="module")
def crowded(servers: Any, template_database: str) -> Iterator[Leader]:
    """Return a leader beside many runs of every kind."""
    with _leader(servers, template_database, CROWD) as leader:
        yield leader


@pytest.fixture(scope="module")
def newborn(servers: Any, template_database: str) -> Iterator[Leader]:
    """Return a leader on the first day: only as many runs as it decides about, and hardly any besides."""
    with _leader(servers, template_database, FREE) as leader:
        yield leader


def _whole(leader: Leader, *, generic: bool) -> dict[str, list[str]]:
    whole = {
        sql: read_whole(plan_of(World(leader.session), sql, params, generic=generic))
        for sql, params in leader.of_runs.items()
    }
    return {sql: found for sql, found in whole.items() if found}


def test_what_is_read_whole_is_seen(crowded: Leader) -> None:
    by_key = plan_of(World(crowded.session), "SELECT id FROM run ORDER BY id LIMIT 500", {}, generic=False)
    by_nothing = plan_of(World(crowded.session), "SELECT count(*) FROM run WHERE seq = 7", {}, generic=False)

    assert read_whole(by_key) == ["run_pkey"]
    assert read_whole(by_nothing)


@pytest.mark.parametrize("where", ["crowded", "newborn"])
def test_a_tick_does_what_there_is_to_do(where: str, request: pytest.FixtureRequest) -> None:
    leader: Leader = request.getfixturevalue(where)

    assert leader.published >= FREE
    assert len(leader.of_runs) >= 8


@pytest.mark.parametrize("generic", [False, True], ids=["for these values", "kept for any values"])
@pytest.mark.parametrize("where", ["crowded", "newborn"])
def test_no_statement_of_a_tick_reads_all_runs(where: str, generic: bool, request: pytest.FixtureRequest) -> None:
    assert _whole(request.getfixturevalue(where), generic=generic) == {}


def test_a_tick_reads_no_more_entries_of_runs_however_many_wait(crowded: Leader, newborn: Leader) -> None:
    most = {index: 1.3 * read + 100 for index, read in newborn.entries.items()}

    assert {index: read for index, read in crowded.entries.items() if read > most[index]} == {}
