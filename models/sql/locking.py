"""Row locks on runs that wait for no other transaction: the only place that writes `SKIP LOCKED`.

Order: a transaction that locks several runs locks them in the order of their ids, so that two of them never deadlock. A run
that another transaction has locked is skipped: that transaction decides about it, and the next tick finds it again.
"""

from collections.abc import Sequence


def locked_in_order(source: str, condition: str | None = None, *, columns: str = "id", keep: Sequence[str] = ()) -> str:
    """Return a query that locks the runs whose ids `source` selects, in the order of the ids, each by its key.

    The rows have `columns` of the locked run, and the columns `keep` of the source. `condition` is on the run as it is under
    the lock, and may name columns of the source as `to_lock.…`.

    The planner may prefer to join the source with all runs, or to read a partial index whole, because it misjudges the number
    of rows; such a plan is kept while the tables grow. So the run is looked up by a `LATERAL` query with a lock, which can be
    no other join. The rest is the caller's part: write a condition that is the predicate of an index as `coalesce(…, FALSE)`;
    read the source from such an index in a `MATERIALIZED` CTE; change the locked runs by `id = ANY (ARRAY[locked.id])`, which
    can be no join with all runs either.
    """
    selected = ", ".join(["locked.*", *(f"to_lock.{name}" for name in keep)])
    guard = "" if condition is None else f" AND {condition}"
    return f"""SELECT {selected}
        FROM (SELECT * FROM ({source}) AS batch ORDER BY id) AS to_lock
        CROSS JOIN LATERAL (
            SELECT {columns} FROM run WHERE run.id = to_lock.id{guard} FOR UPDATE SKIP LOCKED
        ) AS locked"""


def locked_first(query: str, limit: int | None = None, *, key: str = "id", of: str | None = None) -> str:
    """Return a query that locks the first `limit` rows of `query` in the order of the run's id (`key`).

    The limit counts the rows that were locked, unlike `locked_in_order`: runs that others hold do not use it up. The query
    must find its runs by an index that the planner has no reason to leave. `of` names the run's table in a join.
    """
    most = "" if limit is None else f" LIMIT {limit}"
    table = "" if of is None else f" OF {of}"
    return f"""{query}
    ORDER BY {key}{most} FOR UPDATE{table} SKIP LOCKED"""


def locked_one(columns: str, condition: str | None = None, *, mode: str = "UPDATE") -> str:
    """Return a query that locks the run `%(run)s` alone (`mode` UPDATE or SHARE). It needs no order."""
    guard = "" if condition is None else f" AND {condition}"
    return f"SELECT {columns} FROM run WHERE id = %(run)s{guard} FOR {mode} SKIP LOCKED"
