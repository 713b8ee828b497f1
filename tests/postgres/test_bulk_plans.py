"""However many runs there are, the next ones of an operation are found by an index, in their order."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from models.operations import bulk as bulks
from models.operations.bulk import Action
from models.runs.run_filter import Label, RunFilter
from models.runtime.database import set_up
from scheduler.duties import bulk
from scheduler.duties.bulk_operation import BulkOperation
from tests.postgres.bulking import KEY, NONE, many
from tests.postgres.duel import Connection
from tests.postgres.factory import TENANT, World

Connect = Callable[[], Connection]
pytestmark = pytest.mark.usefixtures("no_operations_of_others")


# ------------------------------------------------------------------------------------------------------------------- speed
@pytest.mark.parametrize("labels", [(), (Label("tag", "t"), Label("tag", "u"))])
@pytest.mark.parametrize("action", Action)
def test_the_next_runs_are_found_by_indexes_in_their_order(
    own_world: World, action: Action, labels: tuple[Label, ...]
) -> None:
    connection = own_world.connection
    set_up(connection)
    ids = many(own_world, "a", 3000)
    connection.execute("INSERT INTO label (run_id, tenant, kind, name) SELECT id, tenant, 'tag', 't' FROM run")
    connection.execute("VACUUM ANALYZE")
    wanted = RunFilter(TENANT, agent="a", labels=labels)
    row = bulks.start(action, wanted, by="ann", created_by=KEY, counted=NONE).one(connection)
    assert row
    one = BulkOperation(row, 1)
    for sql, params in (
        (one._page, {"reached": ids[100], "until": row.until}), (one._lock, {"run": ids[0]}), (one._still, {"run": ids[0]}),
    ):  # fmt: skip
        plan = "\n".join(
            line["QUERY PLAN"] for line in connection.execute(f"EXPLAIN {sql}", {**one._params, **params}).fetchall()
        )
        assert "Seq Scan" not in plan, plan
        assert "hashed" not in plan, plan
        indexes = ("label_search",) if labels else ("run_tenant",)
        if "run" in params:  # one run, by its tenant and its id: all of these indexes have them in this order
            indexes = ("run_pkey", "run_tenant", "run_open", "run_unhappy")
        assert any(f"using {index}" in plan or f"Backward using {index}" in plan for index in indexes), plan
    assert "bulk_open" in str(connection.execute(f"EXPLAIN {bulk._UNDER_WAY}", {"last": row.id}).fetchall())


@pytest.mark.parametrize("labels", [(), (Label("tag", "t"),)])
def test_a_plan_that_is_made_on_the_first_day_reads_no_runs_of_others(
    own_world: World, labels: tuple[Label, ...]
) -> None:
    """A plan is kept, and still used after the tables have grown: among ten runs any index would do."""
    connection = own_world.connection
    set_up(connection)
    many(own_world, "a", 10)
    connection.execute("INSERT INTO label (run_id, tenant, kind, name) SELECT id, tenant, 'tag', 't' FROM run")
    connection.execute("VACUUM ANALYZE")
    row = bulks.start(
        Action.RESUME, RunFilter(TENANT, agent="a", labels=labels), by="a", created_by=KEY, counted=NONE
    ).one(connection)
    assert row
    one = BulkOperation(row, 1)
    names = [*one._params, "reached", "until"]
    sql = re.sub(r"%\((\w+)\)s", lambda found: f"${names.index(found[1]) + 1}", one._page)
    plan = "\n".join(line["QUERY PLAN"] for line in connection.execute(f"EXPLAIN (GENERIC_PLAN) {sql}").fetchall())
    assert ("using label_search" if labels else "using run_tenant") in plan, plan
    assert "hashed" not in plan, plan
    assert "wait_one_open_per_key" in plan or "wait_run" in plan, plan
