"""The example of docs/order.md: the tests reproduce what the page describes."""

from __future__ import annotations

import re
from pathlib import Path

from tests.postgres.database_setup import DatabaseSetup
from tests.postgres.factory import World

PAGE = Path(__file__).resolve().parents[2] / "docs" / "order.md"


def test_the_example_goes_in_the_order_that_is_told(own_world: World) -> None:
    [told] = re.findall(r"one slot at a time: (.*)\. With", PAGE.read_text(encoding="utf-8"))
    setup = DatabaseSetup(own_world, slots=1)
    own_world.insert("tenant_share", {"queue": "default", "tenant": "gold", "weight": 2})
    for tenant, count in (("acme", 4), ("beta", 1), ("gold", 4)):
        for _ in range(count):
            setup.accept(tenant)

    order = []
    for _ in told.split(" · "):
        [run] = setup.turn()
        row = own_world.row(run)
        order.append(f"{row['tenant']} {row['fair_tag']:g}")
        setup.begin(run)
        setup.end(run)

    assert order == told.split(" · ")
    assert setup.turn() == []
