"""A ticket's message contains names, ids and the epoch only, whatever the row contains."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from scheduler.promotion.publisher import message

RUN = UUID("01890000-0000-7000-8000-000000000001")
SENTINEL = "sentinel-of-somebody"


def _row(**columns: Any) -> dict[str, Any]:
    return {"id": RUN, "epoch": 3, "ticket_n": 1, "agent": "refund", "queue": "money", "fair_tag": 1.0, **columns}


def test_a_message_holds_ids_epoch_and_names_only() -> None:
    sent = message(_row(input=SENTINEL, tenant=SENTINEL, user_id=SENTINEL, result=SENTINEL))

    assert SENTINEL not in json.dumps(sent)
    assert sent["kwargs"] == {"run": str(RUN), "epoch": 3}
    assert sent["shadow"] == "agent:refund"
    assert (sent["argsrepr"], sent["kwargsrepr"]) == (f"run={RUN} epoch=3", "")
    assert set(sent) == {"kwargs", "task_id", "shadow", "argsrepr", "kwargsrepr"}


def test_a_ticket_published_again_has_an_id_of_its_own() -> None:
    ids = [message(_row(ticket_n=n))["task_id"] for n in (1, 2, 3)]
    assert ids == [f"{RUN}.3", f"{RUN}.3.2", f"{RUN}.3.3"]
