"""Effect of one consent on other runs that wait for the same grant: each continues if the grant has all scopes it needs."""

from collections.abc import Sequence
from typing import Any

import psycopg

from models.runs.effects import EffectResult, OutboxRow, Target
from models.waiting import waits
from models.waiting.wake import wake_run


def hear(connection: psycopg.Connection[Any], run: Target, _: Sequence[OutboxRow]) -> EffectResult:
    """End a run's waits for a grant that was given, as far as the grant, as it is now, has their scopes.

    `run` is the locked run row. However many consents reach it, it continues once.
    """
    if run.finished_at is not None:
        return EffectResult()
    run_state = waits.lock_run(run.id, run.tenant).one(connection)
    assert run_state is not None, "its row is locked"
    over = waits.authorize(run.id).all(connection)
    return EffectResult.of_waits(run_state, over, wake_run(connection, run_state, over))
