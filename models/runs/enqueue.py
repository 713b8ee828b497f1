"""Acceptance of runs: the rows of a new run, its labels and its first event, in one statement.

The fair-queueing tag is assigned here, once: `max(virtual time, tenant's last tag) + 1 / weight` for each run, both those of
the queue and the priority, so that a tenant with a long backlog cannot overtake another's single run. A batch takes its tags at
once.

A run that competes for places (it has a concurrency key, or its queue limits tenants) is not ready before the scheduler gave
it one; see `models.promotion.places`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import psycopg

from models.blocked_on import NOT_BEFORE, PLACE
from models.ids import new_id
from models.lifecycle import MOVES, Verb
from models.statement import Statement
from models.stored_event import StoredEvent

DEFAULT_TIMEOUT_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class NewRun:
    """A validated request; `input` is a JSON text, `timeout_ms` active time (None: unlimited).

    `expires_in_ms` is the time that it may stay QUEUED (None: for ever). `on_conflict` says what happens when no place of its
    `concurrency_key` is free.
    """

    agent: str
    queue: str
    input: str
    priority: int = 0
    timeout_ms: int | None = DEFAULT_TIMEOUT_MS
    user_id: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Sequence[str] = ()
    approval_strategy: str = "NONE"
    window: str | None = None
    not_before: datetime | None = None
    expires_in_ms: int | None = None
    concurrency_key: str | None = None
    on_conflict: str = "queue"
    parent_run_id: UUID | None = None
    parent_key: str | None = None
    retry_of: UUID | None = None
    created_by: UUID | None = None
    id: UUID = field(default_factory=new_id)


_ENQUEUE = f"""
    WITH stand AS MATERIALIZED (
        SELECT coalesce((SELECT weight FROM tenant_share WHERE queue = %(queue)s AND tenant = %(tenant)s), 1) AS weight,
            coalesce((SELECT tag FROM virtual_time WHERE queue = %(queue)s AND priority = %(priority)s), 0) AS tag
    ), share AS (
        INSERT INTO tenant_tag AS share (queue, priority, tenant, last_tag)
        SELECT %(queue)s, %(priority)s, %(tenant)s, tag + %(count)s / weight FROM stand
        ON CONFLICT (queue, priority, tenant) DO UPDATE SET last_tag =
            (SELECT greatest(share.last_tag, tag) + %(count)s / weight FROM stand)
        RETURNING last_tag
    ), accepted AS (
        INSERT INTO run (id, tenant, agent, queue, priority, timeout_ms, user_id, approval_strategy, window_name,
            not_before, expires_at, concurrency_key, on_conflict, lined, blocked_on, blocked_until, parent_run_id, parent_key,
            retry_of, created_by, fair_tag, ready_at, seq)
        SELECT new.id, %(tenant)s, new.agent, %(queue)s, %(priority)s, new.timeout_ms, new.user_id, new.approval_strategy,
            new.window_name, new.not_before, now() + new.expires_ms * interval '1 ms', new.concurrency_key, new.on_conflict,
            ask.places, CASE WHEN new.not_before > now() THEN '{NOT_BEFORE}' WHEN ask.places THEN '{PLACE}' END,
            CASE WHEN new.not_before > now() THEN new.not_before END, new.parent_run_id, new.parent_key, new.retry_of,
            new.created_by, share.last_tag - (%(count)s - new.n) / stand.weight, now(), 1
        FROM share, stand, unnest(%(ids)s::uuid[], %(agents)s::text[], %(timeouts)s::bigint[], %(users)s::text[],
            %(approval_strategies)s::text[], %(windows)s::text[], %(not_before)s::timestamptz[], %(expiries)s::bigint[],
            %(keys)s::text[], %(conflicts)s::text[], %(parents)s::uuid[], %(parent_keys)s::text[], %(retries)s::uuid[],
            %(makers)s::uuid[]) WITH ORDINALITY AS new (id, agent, timeout_ms, user_id,
            approval_strategy, window_name, not_before, expires_ms, concurrency_key, on_conflict, parent_run_id, parent_key,
            retry_of, created_by, n)
        CROSS JOIN LATERAL (SELECT new.concurrency_key IS NOT NULL
            OR EXISTS (SELECT FROM queue WHERE name = %(queue)s AND tenant_limit IS NOT NULL) AS places) AS ask
        RETURNING *
    ), paid AS (
        INSERT INTO payload (run_id, tenant, input)
        SELECT new.id, %(tenant)s, new.input::json FROM unnest(%(ids)s::uuid[], %(inputs)s::text[]) AS new (id, input)
    ), asked AS (
        INSERT INTO place_change (run_id) SELECT id FROM accepted WHERE blocked_on = '{PLACE}'
    ), ending AS (
        INSERT INTO expiry (run_id, tenant, at) SELECT id, tenant, expires_at FROM accepted WHERE expires_at IS NOT NULL
    ), labelled AS (
        INSERT INTO label (run_id, tenant, kind, name, value)
        SELECT new.run, %(tenant)s, new.kind, new.name, new.value
        FROM unnest(%(label_runs)s::uuid[], %(label_kinds)s::text[], %(label_names)s::text[], %(label_values)s::text[])
            AS new (run, kind, name, value)
        ON CONFLICT DO NOTHING
    ), noted AS (
        INSERT INTO event (run_id, seq, tenant, at, type, verb, status)
        SELECT id, seq, tenant, created_at, '{MOVES[Verb.ENQUEUE].event}', '{Verb.ENQUEUE}', status FROM accepted
        RETURNING *
    )
    SELECT noted.*, accepted.queue, accepted.agent FROM noted JOIN accepted ON accepted.id = noted.run_id
    """


def _labels(runs: Sequence[NewRun]) -> list[tuple[UUID, str, str, str]]:
    tags = [(run.id, "tag", tag, "") for run in runs for tag in run.tags]
    return tags + [(run.id, "metadata", name, value) for run in runs for name, value in run.metadata.items()]


def _statement(tenant: str, queue: str, priority: int, runs: Sequence[NewRun]) -> Statement[StoredEvent]:
    labels = _labels(runs)
    params: dict[str, Any] = {
        "tenant": tenant, "queue": queue, "priority": priority, "count": float(len(runs)),
        "ids": [run.id for run in runs], "agents": [run.agent for run in runs], "inputs": [run.input for run in runs],
        "timeouts": [run.timeout_ms for run in runs],
        "users": [run.user_id for run in runs], "approval_strategies": [run.approval_strategy for run in runs],
        "windows": [run.window or "" for run in runs], "not_before": [run.not_before for run in runs],
        "expiries": [run.expires_in_ms for run in runs], "keys": [run.concurrency_key for run in runs],
        "conflicts": [run.on_conflict for run in runs],
        "parents": [run.parent_run_id for run in runs], "parent_keys": [run.parent_key for run in runs],
        "retries": [run.retry_of for run in runs], "makers": [run.created_by for run in runs],
        "label_runs": [label[0] for label in labels],
        "label_kinds": [label[1] for label in labels], "label_names": [label[2] for label in labels],
        "label_values": [label[3] for label in labels],
    }  # fmt: skip
    return Statement(_ENQUEUE, params, StoredEvent)


def enqueue(connection: psycopg.Connection[Any], tenant: str, runs: Sequence[NewRun]) -> list[StoredEvent]:
    """Insert the runs in the caller's transaction, QUEUED and ready. Return their first events, in any order."""
    rows: list[StoredEvent] = []
    for (queue, priority), group in groupby(sorted(runs, key=_line), key=_line):
        rows += _statement(tenant, queue, priority, list(group)).all(connection)
    return rows


def _line(run: NewRun) -> tuple[str, int]:
    """Return the fair order that the run belongs to; every transaction takes tenants' tags in this order."""
    return run.queue, run.priority
