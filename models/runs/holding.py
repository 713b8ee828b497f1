"""Notes of what keeps the slot of a run whose agent only waits; written under the fence, never on the run's row."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from models.runs.recording import Fence
from models.sql.fence import UNDER_FENCE
from models.statement import Statement

_HELD = f"""
    INSERT INTO held (run_id, tenant, epoch, what)
    SELECT id, tenant, epoch, %(what)s::json FROM run WHERE {UNDER_FENCE}
    ON CONFLICT (run_id) DO UPDATE SET epoch = excluded.epoch, what = excluded.what, since = now()
    RETURNING run_id
    """
_FREE = f"""
    DELETE FROM held WHERE run_id = (SELECT id FROM run WHERE {UNDER_FENCE}) RETURNING run_id
    """


def held(fence: Fence, by: Sequence[Mapping[str, Any]]) -> Statement[UUID]:
    """Note what keeps the slot; nothing keeps it when `by` is empty. No row: the fence is passed, or nothing was noted."""
    at = {"run": fence.run, "epoch": fence.epoch, "worker": fence.worker}
    return (
        Statement(_HELD, {**at, "what": json.dumps(list(by), ensure_ascii=False)}, UUID)
        if by
        else Statement(_FREE, at, UUID)
    )
