"""A new run that continues where one that has ended went wrong: it begins with some of the records of the other.

The other run never changes, so that what is kept of it can be chosen first and copied later. The copies are this run's own:
they are not above `seq` 0, because they happened before its first event.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from models.errors import Forgotten, OnceUnknown
from models.ids import new_id
from models.runs.children import CHILD, RESERVED
from models.runs.retry_plan import BAD_WAITS, GOOD_WAITS, Begun, History, Kept, Record, kept
from models.runs.successors import WholeRun
from models.runtime.database import Row
from models.statement import Statement

# What ended long ago may be deleted at any moment; not while this lock is held, or while the retry that took it over is there.
_HOLD = "SELECT id FROM run WHERE id = %(run)s FOR SHARE"
_STEPS = "SELECT key, name, status, started_at, finished_at FROM step WHERE run_id = %(run)s ORDER BY seq"
_WAITS = """
    SELECT key, kind, outcome, opened_at, resolved_at, CASE kind WHEN 'child' THEN answer ->> 'key' END AS child,
        CASE kind WHEN 'child' THEN answer ->> 'status' END AS status
    FROM wait WHERE run_id = %(run)s AND resolved_at IS NOT NULL AND kind <> 'code'
    ORDER BY resolved_at, due_at, id
    """
# Of a child that restarts again and again only the last run counts.
_CHILDREN = "SELECT parent_key, status FROM run WHERE parent_run_id = %(run)s AND continued_as IS NULL"
_COPY_STEPS = """
    WITH chosen AS (
        SELECT *, row_number() OVER (ORDER BY seq, key) - count(*) OVER () AS place FROM step
        WHERE run_id = %(run)s AND key = ANY(%(keys)s)
    ), copied AS (
        INSERT INTO step (run_id, key, tenant, seq, name, digest, occurrence, status, attempts, started_at, finished_at,
            duration_ms, value, error, at_ms)
        SELECT %(retry)s, key, tenant, place, name, digest, occurrence, status, attempts, started_at, finished_at, duration_ms,
            value, error, at_ms
        FROM chosen
        RETURNING coalesce(octet_length(value::text), 0) + coalesce(octet_length(error::text), 0) AS size
    )
    UPDATE run SET step_count = (SELECT count(*) FROM copied), recorded_bytes = (SELECT coalesce(sum(size), 0) FROM copied)
    WHERE id = %(retry)s RETURNING id
    """
# Nobody can answer a copy: it is over. The token of the link to the first one leads there, and to no other.
_COPY_WAITS = """
    INSERT INTO wait (id, run_id, tenant, key, kind, wake, grant_key, request, digest, opened_at, due_at, on_due, resolved_at,
        outcome, answer, decided_by, comment)
    SELECT chosen.id, %(retry)s, tenant, wait.key, kind, wake, grant_key, request, digest, opened_at, due_at, on_due,
        resolved_at, outcome, answer, decided_by, comment
    FROM wait JOIN unnest(%(ids)s::uuid[], %(keys)s::text[]) AS chosen (id, key) ON chosen.key = wait.key
    WHERE wait.run_id = %(run)s AND outcome <> 'withdrawn' AND resolved_at IS NOT NULL
    """
# What the agent saw until then stands between the copies of the steps between which it stood, and names what was kept. Behind the
# last record only what shows the agent a kept wait counts, and nothing that was seen when something else had gone wrong.
_COPY_TURNS = """
    WITH chosen AS (
        SELECT seq, row_number() OVER (ORDER BY seq, key) AS place, count(*) OVER () AS steps FROM step
        WHERE run_id = %(run)s AND key = ANY(%(steps)s)
    ), kept AS (
        SELECT turn.*, ARRAY(SELECT key FROM json_array_elements_text(seen) WITH ORDINALITY AS said (key, place)
                WHERE key = ANY(%(waits)s) ORDER BY place) AS still_seen,
            ARRAY(SELECT key FROM json_array_elements_text(gone) WITH ORDINALITY AS said (key, place)
                WHERE key = ANY(%(waits)s) ORDER BY place) AS still_gone
        FROM turn WHERE run_id = %(run)s AND committed_at < coalesce(%(cut)s::timestamptz, 'infinity')
    )
    INSERT INTO turn (run_id, epoch, n, tenant, seq, at_ms, committed_at, seen, gone)
    SELECT %(retry)s, epoch, n, tenant,
        coalesce((SELECT max(place) FROM chosen WHERE chosen.seq <= kept.seq), 0) - (SELECT count(*) FROM chosen),
        at_ms, committed_at, array_to_json(still_seen), array_to_json(still_gone)
    FROM kept WHERE committed_at <= %(last)s OR cardinality(still_seen) > 0
    """
# Signals are consumed in the order of their ids, of which the first half is the time.
_COPY_SIGNALS = f"""
    INSERT INTO signal (id, run_id, tenant, name, sender_id, payload, created_at)
    SELECT (left(id::text, 19) || right(gen_random_uuid()::text, 17))::uuid, %(retry)s, tenant, name, sender_id, payload,
        created_at
    FROM signal WHERE run_id = %(run)s AND consumed_by IS NULL
        AND (NOT starts_with(name, '{RESERVED}') OR name = ANY(%(children)s))
    """
# A child that ended when its parent had ended already told nobody.
_TELL_ENDS = f"""
    INSERT INTO signal (id, run_id, tenant, name, sender_id, payload)
    SELECT gen_random_uuid(), %(retry)s, tenant, '{CHILD}' || parent_key, id::text,
        json_build_object('run', id, 'key', parent_key, 'status', status)
    FROM run WHERE parent_run_id = %(run)s AND continued_as IS NULL AND '{CHILD}' || parent_key = ANY(%(children)s)
    ON CONFLICT DO NOTHING
    """


def history(connection: psycopg.Connection[Any], run: UUID, error: Any) -> History:
    """Read all that is known of a run that has ended."""
    steps = Statement(_STEPS, {"run": run}).all(connection)
    waits = Statement(_WAITS, {"run": run}).all(connection)
    children: dict[str, dict[str, str]] = defaultdict(dict)
    for row in Statement(_CHILDREN, {"run": run}).all(connection):
        children[row["parent_key"].rpartition("/")[0]][row["parent_key"]] = row["status"]
    finished = [_step(row) for row in steps if row["status"] in ("succeeded", "failed", "abandoned")]
    begun = [_begun(row) for row in steps if row["status"] in ("retrying", "intended")]
    over = [
        _wait(row) for row in waits if row["outcome"] in GOOD_WAITS | BAD_WAITS and not row["key"].startswith("retry ")
    ]
    return History([*finished, *over], begun, children, error if isinstance(error, dict) else None)


def _step(row: Row) -> Record:
    return Record(
        row["key"],
        row["name"],
        row["started_at"],
        row["finished_at"],
        row["status"] == "succeeded",
        given_up=row["status"] == "abandoned",
    )


def _begun(row: Row) -> Begun:
    return Begun(row["key"], row["name"], row["started_at"], row["status"] == "intended")


def _wait(row: Row) -> Record:
    good = row["outcome"] in GOOD_WAITS and row["status"] in (None, "SUCCESS")
    return Record(row["key"], row["key"], row["opened_at"], row["resolved_at"], good, False, row["child"])


@dataclass(frozen=True, slots=True)
class Copies:
    """What a retry begins with."""

    run: UUID
    retry: UUID
    records: Sequence[Record]
    children: Sequence[str]
    """Keys of children that were started by what is kept."""
    cut: datetime | None = None
    """When the first thing was recorded, behind the last that is kept, that is not kept."""

    def put(self, connection: psycopg.Connection[Any]) -> None:
        """Copy the records, and what was sent to the run and not consumed, in the transaction that stores the retry.

        Raises Forgotten if the run was deleted.
        """
        ids = {"run": self.run, "retry": self.retry}
        if Statement(_HOLD, ids).one(connection) is None:
            raise Forgotten(f"Run {self.run} was deleted.")
        steps = [one.key for one in self.records if one.is_step]
        waits = [one for one in self.records if not one.is_step]
        heard = {one.child for one in waits}
        unheard = [f"{CHILD}{key}" for key in self.children if key not in heard]
        with connection.cursor() as cursor:
            cursor.execute(_COPY_STEPS, {**ids, "keys": steps})
            cursor.execute(_COPY_WAITS, {**ids, "ids": [new_id() for _ in waits], "keys": [one.key for one in waits]})
            if self.records:
                told = {
                    "steps": steps,
                    "waits": [one.key for one in waits],
                    "last": max(one.ended for one in self.records),
                }
                cursor.execute(_COPY_TURNS, {**ids, **told, "cut": self.cut})
            cursor.execute(_COPY_SIGNALS, {**ids, "children": unheard})
            cursor.execute(_TELL_ENDS, {**ids, "children": unheard})


def begin(
    connection: psycopg.Connection[Any],
    run: WholeRun,
    retry: UUID,
    keep: Callable[[History], Kept] = kept,
) -> Copies:
    """Describe what a retry of this run begins with: what `keep` chooses, by default all up to the last good thing.

    Raises OnceUnknown when a step would be executed again that is to be executed once at most.
    """
    past = history(connection, run.id, run.error)
    chosen = keep(past)
    if chosen.unknown:
        raise OnceUnknown(chosen.unknown[0])
    return copies(run.id, retry, past, chosen.records)


def copies(run: UUID, retry: UUID, past: History, records: Sequence[Record]) -> Copies:
    """Describe what a retry begins with, and which children it can still hear of."""
    steps = [one.key for one in records if one.is_step]
    last = max((one.ended for one in records), default=None)
    left_out = [one.ended for one in past.records if one not in records and last is not None and one.ended > last]
    children = [child for key in steps for child in past.children.get(key, ())]
    return Copies(run, retry, records, children, min(left_out, default=None))
