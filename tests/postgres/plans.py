"""Plans of PostgreSQL: how a statement finds its rows, in databases that are filled for it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg.sql import SQL, Literal

from tests.postgres.factory import World

BOUNDED = "run_in_flight"
"""The one index of runs that may be read whole: there are never more in flight than there are slots."""


@contextmanager
def own_database(servers: Any, template: str) -> Iterator[World]:
    """Return a database for one module of tests."""
    name = f"plans_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    with psycopg.connect(servers.database(name), autocommit=True, row_factory=dict_row) as connection:
        yield World(connection)
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def nodes_of(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Return a plan's nodes, from the top."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes_of(inner)


def plan_of(
    world: World, sql: str, params: Mapping[str, Any], *, generic: bool, analyze: bool = False
) -> Mapping[str, Any]:
    """Return the plan for these values, or the generic plan that PostgreSQL keeps after several executions."""
    explain = f"EXPLAIN (FORMAT JSON{', ANALYZE' if analyze else ''})"
    if not generic:
        row = world.connection.execute(f"{explain} {sql}", params).fetchone()
    else:
        types = {UUID: "uuid", int: "integer", bool: "boolean", float: "float8"}
        declared = ", ".join(types.get(type(value), "unknown") for value in params.values())
        numbered = _numbered(sql, params)
        values = SQL(", ").join(Literal(value) for value in params.values()).as_string(world.connection)
        with world.connection.transaction(force_rollback=True):
            world.connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
            world.connection.execute(f"PREPARE asked {declared and f'({declared})'} AS {numbered}")
            row = world.connection.execute(f"{explain} EXECUTE asked {values and f'({values})'}").fetchone()
            world.connection.execute("DEALLOCATE asked")
    assert row is not None
    return row["QUERY PLAN"][0]["Plan"]  # type: ignore[no-any-return]  # JSON


def _numbered(sql: str, params: Mapping[str, Any]) -> str:
    places = {name: f"${n}" for n, name in enumerate(params, start=1)}
    return re.sub(r"%\((\w+)\)s", lambda found: places[found[1]], sql).replace("%%", "%")


def rows_read(plan: Mapping[str, Any], table: str) -> int:
    """Return how many entries of a table or its indexes an analyzed plan has read, including those that it skipped."""
    read = 0.0
    for node in nodes_of(plan):
        if node.get("Relation Name") == table or node.get("Index Name", "").startswith(f"{table}_"):
            passed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
            read += (node["Actual Rows"] + passed) * node["Actual Loops"]
    return round(read)


def scans_of(world: World, sql: str, params: Mapping[str, Any], *, generic: bool = False) -> dict[str, set[str]]:
    """Return how each table is read: by which indexes, or `whole` for a sequential scan."""
    found: dict[str, set[str]] = {}
    for node in nodes_of(plan_of(world, sql, params, generic=generic)):
        if node["Node Type"] == "Seq Scan":
            found.setdefault(node["Relation Name"], set()).add("whole")
        elif "Index Name" in node:
            table = node.get("Relation Name") or node["Index Name"].partition("_")[0]  # a bitmap names only its index
            found.setdefault(table, set()).add(node["Index Name"])
    return found


def read_whole(plan: Mapping[str, Any]) -> list[str]:
    """Return what is read of `run` completely: the table, or an index without a condition on it."""
    found = []
    for node in nodes_of(plan):
        index = node.get("Index Name", "")
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] == "run":
            found.append("run")
        elif index.startswith("run_") and index != BOUNDED and "Index Cond" not in node:
            found.append(index)
    return found
