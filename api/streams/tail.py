"""The new events of many streams, read with one statement."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row

from api.http.auth import Caller
from api.http.responses import as_stored
from api.http.transactions import reading, transaction
from api.links.delivery import JOINED_BYTES, add_links_and_input, is_question
from api.streams.event_log import public_object
from api.streams.frame import Frame, frame
from models.stored_event import StoredEvent

PAGE = 100

# Event rows hold no result: the statement joins it to `end`, unless it is large.
_TAIL = f"""
    SELECT wanted.n, event.*, event.data_text AS data,
        CASE WHEN octet_length(payload.result::text) <= {JOINED_BYTES} THEN payload.result::text END AS result,
        octet_length(payload.result::text) > {JOINED_BYTES} AS result_omitted, payload.error::text AS error
    FROM unnest(%(runs)s::uuid[], %(afters)s::int[]) WITH ORDINALITY AS wanted (run, after, n)
    CROSS JOIN LATERAL (
        SELECT run_id, tenant, seq, at, type, verb, status, status_was, reason, event.data::text AS data_text FROM event
        WHERE event.run_id = wanted.run AND event.seq > wanted.after ORDER BY event.seq LIMIT {PAGE}
    ) AS event
    LEFT JOIN payload ON event.type = 'end' AND payload.run_id = event.run_id
    ORDER BY wanted.n, event.seq
    """

_OF_EVENT = ("run_id", "tenant", "seq", "at", "type", "verb", "status", "status_was", "reason", "data")


def tails(places: Sequence[tuple[UUID, int, Caller | None]]) -> list[list[Frame]]:
    """Return the frames after each (run, seq) as its viewer may see them: a page at most for each place, in their order."""
    runs, afters, viewers = ([place[n] for place in places] for n in range(3))
    with transaction() as connection, connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_TAIL, {"runs": runs, "afters": afters}).fetchall()
    delivered = [(row["n"] - 1, _delivered(row)) for row in rows]
    questions = [(viewers[n], message) for n, message in delivered if viewers[n] and is_question(message)]
    if questions:
        with reading() as session:
            add_links_and_input(session, questions)
    found: list[list[Frame]] = [[] for _ in places]
    for n, message in delivered:
        found[n].append(frame(message))
    return found


def _delivered(row: dict[str, Any]) -> dict[str, Any]:
    message = public_object(StoredEvent(**{name: row[name] for name in _OF_EVENT}))
    if row["result"] is not None:
        message["result"] = as_stored(row["result"])
    if row["result_omitted"]:
        message["resultOmitted"] = True
    if row["error"] is not None:
        message["error"] = as_stored(row["error"])
    return message
