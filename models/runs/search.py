"""Search for runs by a filter without reading a tenant's history: along one index, newest first, a stretch at a time.

A stretch reads at most as many entries of the index as its bound says, whatever fits: `LIMIT` is inside, the criteria are
outside, and no plan can exchange them. Entries are compared and ordered as the index holds them, so that no other index fits.
If a stretch finds too few, the search continues below its last entry: immediately, or with the next call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from models.lifecycle import TERMINAL, Status
from models.runs.run_filter import RunFilter
from models.statement import Statement

STRETCH, LABELLED = 1000, 250
"""Entries that one statement reads: the runs of a tenant lie together, those of a label anywhere."""
PLAN = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
"""For the transaction of a search: what is left is to read indexes in their order."""
NEWEST = UUID(int=(1 << 128) - 1)

# How far the clocks of machines that accept runs may be from the database's: those further off are listed by their id alone.
_CLOCKS = timedelta(minutes=1)
_UNHAPPY = frozenset({Status.FAILED, Status.CANCELED})


@dataclass(frozen=True, slots=True)
class _Source:
    """An index in whose order runs are found: what stands before the id in it, by column and criterion, and what is in it."""

    keys: tuple[tuple[str, str], ...]
    only: str = "TRUE"

    @property
    def names(self) -> Sequence[str]:
        """The criteria that are looked up in it."""
        return [name for _, name in self.keys]

    @property
    def order(self) -> str:
        """The order from the newest entry to the oldest."""
        return ", ".join(f"{column} DESC" for column, _ in (*self.keys, ("id", "")))

    def entries(self, columns: str) -> str:
        """Write a stretch: the runs of so many entries below an id."""
        place = ", ".join(column for column, _ in self.keys)
        values = ", ".join(f"%({name})s" for _, name in self.keys)
        return (
            f"SELECT {columns} FROM run WHERE ({place}, id) < ({values}, %(below)s) AND ({place}, id) >= ({values}, %(first)s)"
            f" AND {self.only} ORDER BY {self.order} LIMIT %(stretch)s"
        )

    def runs(self) -> str:
        """Write the same as a table `run`."""
        return f"({self.entries('*')}) AS run"


@dataclass(frozen=True, slots=True)
class _Labelled:
    """The index of labels: what has the first one that is asked for, each looked up by its key and never joined."""

    order: str = "found.id DESC"
    names: Sequence[str] = ("tenant", "kind_0", "name_0", "value_0")

    def entries(self, columns: str) -> str:
        """Write a stretch: the runs of so many entries below an id."""
        return (
            f"SELECT {columns} FROM (SELECT run_id AS id FROM label WHERE tenant = %(tenant)s AND kind = %(kind_0)s"
            " AND name = %(name_0)s AND value = %(value_0)s AND run_id < %(below)s AND run_id >= %(first)s"
            " ORDER BY run_id DESC LIMIT %(stretch)s) AS found"
        )

    def runs(self) -> str:
        """Write the same as a table `run`."""
        return f"({self.entries('*')}) AS found CROSS JOIN LATERAL (SELECT * FROM run WHERE run.id = found.id LIMIT 1) AS run"


_TENANT = ("tenant", "tenant")
_ALL = _Source((_TENANT,))
_OPEN = _Source((_TENANT,), "finished_at IS NULL")
_ENDED_BADLY = _Source((_TENANT,), "status IN ('FAILED', 'CANCELED')")
_OF_USER = _Source((_TENANT, ("user_id", "user_id")), "user_id IS NOT NULL")
_CHILDREN = _Source((("parent_run_id", "parent"),), "parent_run_id IS NOT NULL")
_Any = _Source | _Labelled


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entries of an index were `looked` at, and how many of them `matched`."""

    matched: int
    looked: int


@dataclass(frozen=True, slots=True)
class Search:
    """A search for the runs that are meant, in the index that holds fewest beside them.

    Who knows that none but some statuses can be meant says so in `among`; `labels` are passed over where they hold too many.
    """

    wanted: RunFilter
    among: frozenset[Status] = frozenset(Status)
    labels: bool = True

    def find(self, below: UUID, limit: int) -> Statement[Any]:
        """Read the newest runs of a stretch that fit, at most `limit`."""
        fits, params = self.wanted.condition(one_by_one=True)
        source = self._source
        sql = f"SELECT run.* FROM {source.runs()} WHERE {fits} ORDER BY {source.order} LIMIT %(limit)s"
        return Statement(sql, {**params, **self._place(below), "limit": limit})

    def reached(self, below: UUID) -> Statement[UUID]:
        """Read the last entry of a stretch. Returns no row if the stretch reached the end of the index."""
        sql = f"SELECT id FROM ({self._source.entries('id')}) AS found OFFSET %(stretch)s - 1"
        given = self.wanted.condition()[1]
        return Statement(sql, {**{name: given[name] for name in self._source.names}, **self._place(below)}, UUID)

    def count(self, fits: str, params: Mapping[str, Any], stretches: int) -> Statement[Counts]:
        """Count the runs for which a condition holds, among so many stretches at most; `looked` says in how many entries."""
        sql = f"SELECT count(*) FILTER (WHERE {fits}) AS matched, count(*) AS looked FROM {self._source.runs()}"
        return Statement(sql, {**params, **self._place(NEWEST), "stretch": stretches * self.entries}, Counts)

    def _place(self, below: UUID) -> dict[str, Any]:
        first, last = self.wanted.bounds(_CLOCKS)
        return {"first": first, "below": min(below, last), "stretch": self.entries}

    @property
    def entries(self) -> int:
        """How many entries a stretch has."""
        return LABELLED if isinstance(self._source, _Labelled) else STRETCH

    @property
    def _source(self) -> _Any:
        statuses = {state.status for state in self.wanted.states} & self.among
        if self.wanted.parent:
            return _CHILDREN
        if self.wanted.labels and self.labels:
            return _Labelled()
        if self.wanted.user_id is not None:
            return _OF_USER
        if not statuses & TERMINAL:
            return _OPEN
        return _ENDED_BADLY if statuses <= _UNHAPPY else _ALL
