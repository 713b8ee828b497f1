"""A ticket's message contains names, ids and the epoch only, whatever the row contains."""

from __future__ import annotations

import json
from dataclasses import fields
from uuid import UUID

from models.promotion.tickets import Ticket
from scheduler.promotion.publisher import message
from tests.rows import ticket

RUN = UUID("01890000-0000-7000-8000-000000000001")
SENTINEL = "sentinel-of-somebody"


def test_a_message_holds_ids_epoch_and_names_only() -> None:
    sent = message(ticket(id=RUN, queue=SENTINEL))

    assert {field.name for field in fields(Ticket)} == {"id", "epoch", "ticket_n", "agent", "queue"}
    assert SENTINEL not in json.dumps(sent)
    assert sent["kwargs"] == {"run": str(RUN), "epoch": 3}
    assert sent["shadow"] == "agent:refund"
    assert (sent["argsrepr"], sent["kwargsrepr"]) == (f"run={RUN} epoch=3", "")
    assert set(sent) == {"kwargs", "task_id", "shadow", "argsrepr", "kwargsrepr"}


def test_a_ticket_published_again_has_an_id_of_its_own() -> None:
    ids = [message(ticket(id=RUN, ticket_n=n))["task_id"] for n in (1, 2, 3)]
    assert ids == [f"{RUN}.3", f"{RUN}.3.2", f"{RUN}.3.3"]
