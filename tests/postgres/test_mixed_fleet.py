"""Beside workers of this version those of the version before take only runs that this version has not executed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from taxiway.host.loading import DIGEST_LENGTH

from models import moves, retrying, tickets
from models.lifecycle import Reason, Verb
from tests.postgres.factory import AGENT, Made, World

OLDER, OURS, OTHERS = "9f86d081884c7d65", "c" * DIGEST_LENGTH, "d" * DIGEST_LENGTH


def _claim(world: World, made: Made, version: str | None) -> dict[str, Any] | None:
    """Promote the run and have a worker that knows its agent by this digest claim it, by the one statement of both versions."""
    ticket = tickets.promote([made.id]).one(world.connection)
    assert ticket is not None
    versions = json.dumps({AGENT: version})
    return moves.claim(
        made.id, ticket["epoch"], made.worker, label="w", versions=versions, served=[AGENT]
    ).one(world.connection)  # fmt: skip


def _executed(world: World, made: Made, version: str) -> None:
    row = _claim(world, made, version)
    assert row is not None
    release = moves.release(made.id, row["epoch"], made.worker, verb=Verb.HAND_BACK, reason=Reason.DRAINED)
    assert release.one(world.connection)


def test_a_worker_of_the_version_before_takes_no_run_that_this_one_has_executed(world: World) -> None:
    made = world.run("queued")
    _executed(world, made, OURS)
    before = world.events(made.id)
    assert _claim(world, made, OLDER) is None
    row = world.row(made.id)
    assert (row["lease_worker"], row["status"], row["agent_version"]) == (None, "RUNNING", OURS)
    assert world.events(made.id) == before
    assert row["ticket_at"], "its ticket stays out and is published again, for a worker of this version"
    epoch = row["epoch"]
    again = moves.claim(made.id, epoch, made.worker, label="w", versions=json.dumps({AGENT: OTHERS}), served=[AGENT])
    assert again.one(world.connection), "the agent's code may have changed meanwhile"


@pytest.mark.parametrize("version", [OLDER, OURS])
def test_a_run_that_only_the_version_before_has_executed_is_taken_by_both(world: World, version: str) -> None:
    made = world.run("queued")
    _executed(world, made, OLDER)
    assert _claim(world, made, version) is not None


@pytest.mark.parametrize("version", [OLDER, OURS, None])
def test_a_run_that_nobody_has_executed_is_taken_by_both(world: World, version: str | None) -> None:
    assert _claim(world, world.run("queued"), version) is not None


def test_a_retry_with_records_of_this_version_is_kept_from_the_version_before_too(world: World) -> None:
    failed = world.run("failed", agent_version=OURS)
    world.step(failed.id, "a", "succeeded", value="1", started_at="2026-01-01", finished_at="2026-01-01", seq=1)
    retry = world.run("queued")
    world.connection.execute("UPDATE payload SET error = '{}' WHERE run_id = %s", [failed.id])
    with world.connection.transaction():
        begun = retrying.begin(world.connection, {"id": failed.id, "error": {"code": "agent_error"}}, retry.id)
        begun.put(world.connection)
    assert _claim(world, retry, OLDER) is None
