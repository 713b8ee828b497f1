"""Each named constraint refuses the impossible state of its name, and each is tested here."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import errors

from models.ids import new_id
from models.tables.idempotency import claim_key
from tests.postgres.factory import TENANT, World

_LEASED = {"status": "RUNNING", "lease_worker": new_id()}
_NOW = "2026-01-01T00:00:00Z"
_READY = {"ready_at": _NOW}
_STEP = {"run_id": new_id(), "tenant": TENANT, "name": "a", "digest": "", "status": "succeeded", "value": "1"}
_WAIT = {"tenant": TENANT, "key": "k", "kind": "approval"}
_SCHEDULE = {"tenant": TENANT, "cron": "* * * * *", "timezone": "UTC", "agent": "echo", "request": "{}"}
_PROVIDER = {"authorize_url": "https://a", "token_url": "https://t", "client_id": "c"}
_FIRING = {"tenant": TENANT, "schedule": "nightly", "at": _NOW}
_AGENT = {"name": "echo", "queue": "default", "version": "1", "input_schema": "{}"}
_WINDOW = {"cron": "* * * * *", "duration_ms": 1, "timezone": "UTC"}
_BULK = {"tenant": TENANT, "filter": "{}", "by": "ann", "created_by": new_id(), "reached": new_id(), "until": new_id()}
_WORKER = {"name": "w", "host": "h", "pid": 1, "queue": "default", "liveness_key": 1, "lease_until": _NOW}

# constraint: rows of the table that it must refuse
REFUSED: dict[str, list[dict[str, Any]]] = {
    "run_status_known": [{"status": "SLEEPING"}],
    "run_pause_kind_known": [{"status": "PAUSED", "pause_kind": "lunch"}],
    "run_terminal_is_finished": [
        {"status": "SUCCESS"}, {"status": "FAILED"}, {"status": "CANCELED"}, {"finished_at": _NOW, **_READY},
        {"status": "PAUSED", "pause_kind": "user", "finished_at": _NOW},
    ],
    "run_paused_has_kind": [{"status": "PAUSED"}, {"pause_kind": "user", **_READY}],
    "run_ticket_or_lease": [{**_LEASED, "ticket_at": _NOW}],
    "run_only_running_is_leased": [
        {**_LEASED, "status": "QUEUED"}, {**_LEASED, "status": "AUTH_REQUIRED"},
        {**_LEASED, "status": "PAUSED", "pause_kind": "approval"},
        {**_LEASED, "status": "SUCCESS", "finished_at": _NOW},
    ],
    "run_only_ready_is_promoted": [
        {"status": "PAUSED", "pause_kind": "agent", "ticket_at": _NOW}, {"status": "AUTH_REQUIRED", "ticket_at": _NOW},
        {"status": "FAILED", "finished_at": _NOW, "ticket_at": _NOW},
    ],
    "run_ready_or_leased": [
        {}, {"status": "RUNNING"}, {**_LEASED, **_READY}, {"status": "PAUSED", "pause_kind": "user", **_READY},
        {"status": "AUTH_REQUIRED", **_READY}, {"status": "CANCELED", "finished_at": _NOW, **_READY},
    ],
    "run_control_known": [{"control_request": "stop", **_READY}],
    "run_approval_strategy_known": [{"approval_strategy": "SOMETIMES", **_READY}],
    "run_on_conflict_known": [{"on_conflict": "fight", **_READY}],
    "run_priority_in_range": [{"priority": 101, **_READY}, {"priority": -101, **_READY}],
    "step_status_known": [{**_STEP, "status": "running", "value": None}],
    "step_succeeded_has_value": [{**_STEP, "value": None}, {**_STEP, "status": "retrying"}],
    "step_failed_has_error": [{**_STEP, "status": "failed", "value": None}],
    "wait_kind_known": [{**_WAIT, "kind": "bus"}],
    "wait_resolved_has_outcome": [{**_WAIT, "outcome": "approved"}, {**_WAIT, "resolved_at": _NOW}],
    "queue_limits_positive": [
        {"name": "q", "run_limit": 0}, {"name": "q", "tenant_limit": 0}, {"name": "q", "key_limit": 0},
        {"name": "q", "run_limit": -1, "tenant_limit": 1},
    ],
    "agent_limit_positive": [{**_AGENT, "run_limit": 0}],
    "place_change_of_one": [{"run_id": None}, {"run_id": new_id(), "queue": "q"}],
    "label_kind_known": [{"run_id": new_id(), "tenant": TENANT, "kind": "colour", "name": "red"}],
    "schedule_overlap_known": [{**_SCHEDULE, "overlap": "perhaps"}],
    "schedule_catch_up_known": [{**_SCHEDULE, "catch_up": "perhaps"}],
    "provider_client_auth_known": [{**_PROVIDER, "client_auth": "magic"}],
    "provider_callback_known": [{**_PROVIDER, "callback": "theirs"}],
    "firing_outcome_known": [{**_FIRING, "outcome": "misfired", "run_id": new_id()}],
    "firing_made_a_run_or_not": [{**_FIRING, "outcome": "fired"}, {**_FIRING, "outcome": "skipped", "run_id": new_id()}],
    "window_kind_known": [{**_WINDOW, "kind": "door"}],
    "window_on_close_known": [{**_WINDOW, "on_close": "slam"}],
    "window_override_known": [{**_WINDOW, "override": "ajar", "override_until": _NOW}],
    "window_override_ends": [{**_WINDOW, "override": "open"}, {**_WINDOW, "override_until": _NOW}],
    "window_change_known": [{"window_name": "night", "by": "ann", "change": "painted"}],
    "worker_slots_not_negative": [{**_WORKER, "slots": -1}],
    "tenant_share_weight_positive": [{"weight": 0}, {"weight": -1}],
    "bulk_action_known": [{**_BULK, "action": "delete"}],
}  # fmt: skip
_TABLES = (
    "tenant_share",
    "run",
    "step",
    "wait",
    "label",
    "provider",
    "firing",
    "schedule",
    "window_change",
    "window",
    "worker",
    "queue",
    "agent",
    "place_change",
    "bulk",
)
_DEFAULTS: dict[str, dict[str, Any]] = {
    "run": {"tenant": TENANT, "agent": "echo", "queue": "default"},
    "tenant_share": {"queue": "default", "tenant": TENANT},
}


def _insert(world: World, constraint: str, row: dict[str, Any]) -> None:
    table = next(table for table in _TABLES if constraint.startswith(table))
    identity: dict[str, Any] = {"run": {"id": new_id()}, "wait": {"id": new_id(), "run_id": new_id()}}.get(table, {})
    if table in {"schedule", "window", "provider", "step"}:
        identity = {{"step": "key"}.get(table, "name"): str(new_id())}
    if table in {"worker", "window_change", "bulk"}:
        identity = {"id": new_id()}
    world.insert(table, {**_DEFAULTS.get(table, {}), **identity, **row})


@pytest.mark.parametrize(("name", "row"), [(name, row) for name, rows in REFUSED.items() for row in rows])
def test_the_impossible_is_refused_by_name(world: World, name: str, row: dict[str, Any]) -> None:
    others = [other for other in REFUSED if other != name and other.startswith("run_") and name.startswith("run_")]

    with pytest.raises(errors.CheckViolation) as caught:
        _insert_against_one(world, name, others, row)

    assert caught.value.diag.constraint_name == name


def _insert_against_one(world: World, name: str, others: list[str], row: dict[str, Any]) -> None:
    """Some impossible states violate several constraints: the others are dropped until the end of the transaction."""
    with world.connection.transaction():
        for other in others:
            world.connection.execute(f"ALTER TABLE run DROP CONSTRAINT {other}")
        _insert(world, name, row)
        raise psycopg.Rollback


def test_no_constraint_of_the_schema_is_left_untested(world: World) -> None:
    rows = world.connection.execute(
        "SELECT conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
    ).fetchall()

    assert {row["conname"] for row in rows} == set(REFUSED)


def test_a_run_has_at_most_one_open_wait_under_a_key(world: World) -> None:
    run = new_id()
    world.insert("wait", {**_WAIT, "id": new_id(), "run_id": run})
    world.insert("wait", {**_WAIT, "id": new_id(), "run_id": run, "key": "other"})
    with pytest.raises(errors.UniqueViolation, match="wait_one_open_per_key"):
        world.insert("wait", {**_WAIT, "id": new_id(), "run_id": run})

    world.connection.execute("UPDATE wait SET resolved_at = now(), outcome = 'approved' WHERE run_id = %s", [run])
    world.insert("wait", {**_WAIT, "id": new_id(), "run_id": run})


def test_a_signal_that_its_sender_named_is_stored_once(world: World) -> None:
    run = new_id()
    signal = {"run_id": run, "tenant": TENANT, "name": "note"}
    world.insert("signal", {**signal, "id": new_id(), "sender_id": "s1"})
    with pytest.raises(errors.UniqueViolation, match="signal_once"):
        world.insert("signal", {**signal, "id": new_id(), "sender_id": "s1"})

    world.insert("signal", {**signal, "id": new_id()})
    world.insert("signal", {**signal, "id": new_id()})


def test_every_unique_index_is_known(world: World) -> None:
    rows = world.connection.execute(
        """
        SELECT indexrelid::regclass::text AS name FROM pg_index JOIN pg_class AS t ON t.oid = indrelid
        WHERE indisunique AND NOT indisprimary AND t.relnamespace = 'public'::regnamespace
        """
    ).fetchall()

    assert {row["name"] for row in rows} == {"wait_one_open_per_key", "signal_once", "api_key_hash", "grant_holder"}


def test_one_idempotency_key_belongs_to_one_request_of_a_tenant(world: World) -> None:
    key = str(new_id())

    answers = [claim_key(tenant, key, "d", [new_id()]).one(world.connection) for tenant in ("a", "a", "b")]

    assert [answer is not None for answer in answers] == [True, False, True]


def test_an_idempotency_key_may_be_used_anew_after_seven_days(world: World) -> None:
    key, later = str(new_id()), new_id()
    assert claim_key("a", key, "d1", [new_id()]).one(world.connection) is not None
    for age, taken in (("6 days 23 hours", False), ("7 days 1 hour", True)):
        world.connection.execute("UPDATE idempotency SET created_at = now() - %s::interval WHERE key = %s", [age, key])
        assert (claim_key("a", key, "d2", [later]).one(world.connection) is not None) is taken

    row = world.connection.execute("SELECT * FROM idempotency WHERE key = %s", [key]).fetchone()
    assert row is not None
    assert (row["body_digest"], row["run_ids"]) == ("d2", [later])
    assert claim_key("a", key, "d3", [later]).one(world.connection) is None


def test_the_json_value_null_is_a_value(world: World) -> None:
    world.step(new_id(), "a##1", "succeeded", value="null")
    with pytest.raises(psycopg.errors.CheckViolation):
        world.step(new_id(), "a##1", "succeeded", value=None)
