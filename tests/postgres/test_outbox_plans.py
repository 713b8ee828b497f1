"""Effects on their way between runs are found by indexes, however the planner sees young tables."""

from __future__ import annotations

from models.ids import new_id
from models.runs import children
from models.runtime.database import set_up
from scheduler.duties import outbox
from tests.postgres.factory import World
from tests.postgres.families import child_of, succeed


def test_what_is_folded_is_found_by_indexes(own_world: World) -> None:
    connection = own_world.connection
    set_up(connection)
    parent = own_world.run("paused by agent", children=3)
    for n in range(3):
        succeed(connection, child_of(own_world, parent, str(n)))
    connection.execute("VACUUM ANALYZE outbox")
    plans = {
        outbox._TARGETS: ({"aside": [parent.id]}, "outbox_pkey"),
        outbox._ROWS: ({"run": parent.id}, "outbox_target"),
        outbox._LOCK: ({"run": parent.id}, "run_pkey"),
        children._TO_CANCEL: ({"run": parent.id}, "run_children"),
        children._ANY_LEFT: ({"run": parent.id}, "run_children"),
        children._KEEP_ENDS: ({"run": parent.id, "rows": [new_id()]}, "outbox_target"),
        outbox._DELETE: ({"run": parent.id, "rows": [new_id()]}, "outbox_target"),
    }
    for sql, (params, index) in plans.items():
        plan = str(connection.execute(f"EXPLAIN {sql}", params).fetchall())
        assert index in plan, plan
        assert "Seq Scan" not in plan, plan
