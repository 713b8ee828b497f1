"""Waits that an agent opens while its run executes: the product's own opening, as the next item of the activation."""

from __future__ import annotations

from collections.abc import Sequence

from models.moves import NewWait
from models.runs.opening import Opened, opening
from models.runs.recording import Fence
from tests.postgres.calls import LIMITS
from tests.postgres.duel import Connection


def open_waits(connection: Connection, fence: Fence, opened: Sequence[NewWait]) -> Opened | None:
    """Open these waits in the caller's transaction. The row tells whether some are `over`; None: the fence has passed."""
    recorded = connection.execute("SELECT recorded_n FROM run WHERE id = %s", [fence.run]).fetchone()
    assert recorded is not None
    return opening(fence, recorded["recorded_n"] + 1, opened, LIMITS, None).one(connection)
