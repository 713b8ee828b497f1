"""An epoch is claimed at most once, ever; any fate of a ticket costs latency only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from models import moves
from models.promotion import tickets
from models.statement import Statement
from tests.postgres.calls import MOVES, TICKETS, claim
from tests.postgres.factory import AGENT, Made, World


def _next(made: Made) -> Made:
    return replace(made, epoch=made.epoch + 1)


def test_a_promotion_raises_the_epoch_once_and_names_what_to_publish(world: World) -> None:
    made = world.run("queued", queue="q1", fair_tag=2.5)

    promotion = tickets.promote([made.id])
    rows = Statement(promotion.sql, promotion.params).all(world.connection)

    place = {"queue": "q1", "priority": 0, "resumed": False, "tag": 2.5}
    assert rows == [{"id": made.id, "epoch": 8, "ticket_n": 1, "agent": AGENT, **place}]
    row = world.row(made.id)
    assert (row["ticket_at"], row["status"], row["seq"]) == (row["promoted_at"], "QUEUED", 1)
    assert tickets.promote([made.id]).all(world.connection) == []


def test_an_epoch_is_claimed_once_and_carries_all_that_an_activation_needs(world: World) -> None:
    made = world.run("queued", user_id="u1", timeout_ms=900_000, active_ms=40)
    world.insert("label", {"run_id": made.id, "tenant": "acme", "kind": "metadata", "name": "team", "value": "x"})
    world.insert("label", {"run_id": made.id, "tenant": "acme", "kind": "tag", "name": "night"})
    assert TICKETS["promote"](made).one(world.connection) is not None

    row = claim(_next(made)).one(world.connection)
    again = claim(_next(made)).one(world.connection)
    elsewhere = claim(replace(_next(made), worker=world.worker())).one(world.connection)

    assert row is not None
    assert (again, elsewhere) == (None, None)
    expected = {
        "lease_worker": made.worker, "epoch": 8, "agent": AGENT, "tenant": "acme", "user_id": "u1", "activations": 1,
        "timeout_ms": 900_000, "active_ms": 40, "input": '{"n": 1}', "metadata": {"team": "x"}, "has_steps": False,
    }  # fmt: skip
    assert {name: getattr(row, name) for name in expected} == expected
    assert (row.data["worker"], row.data["activation"]) == ("w1", 1)
    kept = world.row(made.id)
    assert (kept["ticket_at"], kept["ready_at"], kept["agent_version"], kept["recorded_n"]) == (None, None, "v1", 0)
    assert row.data["promotedAt"] == kept["promoted_at"].isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_claim_starts_a_new_count_of_items_and_keeps_the_first_start(world: World) -> None:
    made = world.run("cleared", recorded_n=17, step_in_flight="a##1", activations=2, started_at="2026-01-01T00:00:00Z")
    world.step(made.id, "a##1", "retrying")

    row = claim(made).one(world.connection)

    assert row is not None
    assert (row.verb, row.type, row.activations, row.has_steps) == ("continue", "status", 3, True)
    kept = world.row(made.id)
    assert (kept["recorded_n"], kept["step_in_flight"], kept["started_at"].year) == (0, None, 2026)


@pytest.mark.parametrize(
    ("situation", "columns"),
    [
        ("promoted", {"control_request": "pause"}),
        ("promoted", {"control_request": "cancel"}),
        ("cleared", {"control_request": "cancel"}),
        ("promoted", {"agent": "unknown"}),
        ("promoted", {"expires_at": "2020-01-01T00:00:00Z"}),
        ("promoted", {"ticket_at": None}),
        ("cleared", {"ticket_at": None}),
    ],
)
def test_a_claim_is_refused(world: World, situation: str, columns: dict[str, Any]) -> None:
    made = world.run(situation, **columns)
    before = world.whole(made.id)

    assert claim(made).one(world.connection) is None
    assert world.whole(made.id) == before


def test_only_a_run_that_never_started_expires(world: World) -> None:
    past, future = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"

    assert claim(world.run("cleared", expires_at=past)).one(world.connection) is not None
    assert claim(world.run("promoted", expires_at=future)).one(world.connection) is not None


@pytest.mark.parametrize("withdrawal", ["decline", "pause_idle", "cancel_idle"])
def test_a_withdrawn_ticket_cannot_be_claimed(world: World, withdrawal: str) -> None:
    made = world.run("cleared")
    assert {**MOVES, **TICKETS}[withdrawal](made).one(world.connection) is not None

    assert claim(made).one(world.connection) is None
    assert world.row(made.id)["ticket_at"] is None


def test_an_old_ticket_cannot_take_the_place_of_a_new_one(world: World) -> None:
    made = world.run("promoted")
    assert tickets.decline(made.id, made.epoch, draining=True).one(world.connection) is not None
    assert TICKETS["promote"](made).one(world.connection) is not None

    assert claim(made).one(world.connection) is None
    assert tickets.decline(made.id, made.epoch, draining=True).one(world.connection) is None
    assert claim(_next(made)).one(world.connection) is not None


def test_a_draining_worker_declines_and_the_run_is_ready_at_once(world: World) -> None:
    made = world.run("promoted")

    assert tickets.decline(made.id, made.epoch, draining=True).one(world.connection) is not None

    row = world.row(made.id)
    assert (row["ticket_at"], row["blocked_on"], row["blocked_until"], row["epoch"]) == (None, None, None, made.epoch)
    assert len(tickets.promote([made.id]).all(world.connection)) == 1


def test_back_offs_of_declined_tickets_follow_no_rhythm(world: World) -> None:
    """Otherwise a ticket may reach the same waiting worker each time, and never the one beside it that serves the agent."""
    made, waits = [world.run("promoted") for _ in range(40)], []
    for one in made:
        assert tickets.decline(one.id, one.epoch, draining=False).one(world.connection) is not None
        row = world.connection.execute(
            "SELECT extract(epoch FROM blocked_until - now())::float AS s FROM run WHERE id = %s", [one.id]
        ).fetchone()
        assert row
        waits.append(row["s"])
    assert max(waits) <= 1.5
    assert max(waits) - min(waits) > 0.3


def test_a_worker_that_does_not_serve_the_agent_declines_behind_a_gate_that_is_lifted(own_world: World) -> None:
    world = own_world
    made = world.run("promoted", queue="q2")
    assert tickets.decline(made.id, made.epoch, draining=False).one(world.connection) is not None
    assert world.row(made.id)["blocked_on"] == "declined"
    assert tickets.promote([made.id]).all(world.connection) == []
    assert tickets.lift().all(world.connection) == []

    world.connection.execute("UPDATE run SET blocked_until = now() - interval '1 ms' WHERE id = %s", [made.id])

    assert tickets.lift().all(world.connection) == ["q2"]
    row = world.row(made.id)
    assert (row["blocked_on"], row["blocked_until"]) == (None, None)
    assert len(tickets.promote([made.id]).all(world.connection)) == 1


def test_a_gate_of_another_kind_is_not_lifted(own_world: World) -> None:
    made = own_world.run("blocked", blocked_on="limit")

    assert tickets.lift().all(own_world.connection) == []
    assert own_world.row(made.id)["blocked_on"] == "limit"


@pytest.mark.parametrize(("ticket_n", "waits_s"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (9, 60), (5000, 60)])
def test_an_unclaimed_ticket_is_published_again_with_the_same_epoch_after_its_wait(
    own_world: World, ticket_n: int, waits_s: int
) -> None:
    world = own_world
    early, due = (world.run("promoted", ticket_n=ticket_n) for _ in range(2))
    for made, age_s in ((early, waits_s - 1), (due, waits_s + 1)):
        world.connection.execute(
            "UPDATE run SET ticket_at = now() - %s * interval '1 s' WHERE id = %s", [age_s, made.id]
        )

    rows = tickets.republish("default").all(world.connection)

    assert [(row.id, row.epoch, row.ticket_n) for row in rows] == [(due.id, due.epoch, ticket_n + 1)]
    assert tickets.republish("default").all(world.connection) == []
    assert claim(due).one(world.connection) is not None


def test_a_ticket_of_another_queue_or_one_that_was_claimed_is_not_published_again(own_world: World) -> None:
    long_ago = "2020-01-01T00:00:00Z"
    elsewhere, claimed = own_world.run("promoted", queue="q3", ticket_at=long_ago), own_world.run("promoted")
    assert claim(claimed).one(own_world.connection) is not None

    assert tickets.republish("default").all(own_world.connection) == []
    assert [row.id for row in tickets.republish("q3").all(own_world.connection)] == [elsewhere.id]


def test_a_run_that_is_let_go_needs_a_new_ticket_with_a_higher_epoch(world: World) -> None:
    made = world.run("executing")
    assert MOVES["release:hand_back"](made).one(world.connection) is not None
    assert world.row(made.id)["epoch"] == made.epoch + 1

    assert claim(_next(made)).one(world.connection) is None
    assert [row.epoch for row in TICKETS["promote"](made).all(world.connection)] == [made.epoch + 2]
    assert claim(replace(made, epoch=made.epoch + 2)).one(world.connection) is not None


def test_the_agents_digest_is_noted_where_the_worker_knows_it(world: World) -> None:
    made = world.run("promoted")
    statement = moves.claim(made.id, made.epoch, made.worker, label="w", versions="{}", served=[AGENT])

    assert statement.one(world.connection) is not None
    assert world.row(made.id)["agent_version"] is None
