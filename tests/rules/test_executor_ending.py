"""A park that another transaction overtook is decided again by the current state of the run's row and its waits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from executor.activation import finish
from executor.activation.finish import record
from executor.activation.outcome import Failed, Parked, Paused, Succeeded
from models.lifecycle import Reason, Verb
from models.moves import NewWait
from models.runs import recording
from models.runs.recording import Fence, FencedRun
from models.runtime.bus import FREED, PROMOTE
from models.statement import Statement
from models.stored_event import StoredEvent
from models.waiting import waits
from models.waiting.park import Park
from tests import rows

FENCE = Fence(UUID(int=1), 3, UUID(int=2))
CLAIM = rows.claim()
PARKED = Parked(4, Verb.PAUSE_BY_AGENT, Reason.WAITING, (NewWait("a", "signal"),))


class Office:
    """A worker whose first write is overtaken; the state of row and waits afterwards is given."""

    def __init__(self, row: FencedRun, over: bool) -> None:
        self.written: list[Any] = []
        self.woken: list[str] = []
        self.recorder = SimpleNamespace(write=self._write)
        self.bus = SimpleNamespace(wake_up=lambda channel, _: self.woken.append(channel))
        self._answers = {recording.FENCED: [row], waits.OVER: ["a"] if over else []}

    def read(self, statement: Statement[Any]) -> list[Any]:
        return self._answers[statement.sql]

    def _write(self, run: UUID, statement: Any, **options: Any) -> StoredEvent | None:
        self.written.append(statement.statement if isinstance(statement, Park) else statement)
        assert options["alone"] is isinstance(statement, Park)
        if len(self.written) == 1:
            return None
        options["then"]()
        return rows.stored_event()


def _row(request: str | None, inbox: int = 1) -> FencedRun:
    reason = "night" if request == "window" else None
    return rows.fenced(recorded_n=3, inbox=inbox, control_request=request, control_by="ann", control_reason=reason)


def _second(office: Office, outcome: Any) -> tuple[str, Statement]:
    said = record(office, FENCE, CLAIM, outcome, active_ms=1)  # type: ignore[arg-type]
    return said, office.written[1]


@pytest.mark.parametrize(
    ("outcome", "request_", "over", "said"),
    [
        (PARKED, None, False, "parked:waiting"),
        (PARKED, None, True, "handed_back:wait_over"),
        (PARKED, "cancel", False, "canceled"),
        (PARKED, "pause", False, "parked:by_user"),
        (PARKED, "window", False, "parked:waiting"),
        (Paused(), "cancel", False, "canceled"),
        (Paused(), "window", False, "parked:window_closed"),
        (Paused("night"), "window", False, "parked:window_closed"),
        (Paused("night"), "pause", False, "parked:by_user"),
        (Paused("night"), "cancel", False, "canceled"),
        (Paused("night"), None, False, "handed_back:window_opened"),
        (Paused(), None, False, "handed_back:by_user"),
    ],
)
def test_an_end_that_was_overtaken_gives_way_to_what_came(
    outcome: Any, request_: str | None, over: bool, said: str
) -> None:
    word, _ = _second(Office(_row(request_), over), outcome)
    assert word == said


def test_a_park_that_is_tried_again_has_read_the_inbox_again() -> None:
    office = Office(_row(None, inbox=5), over=False)
    _, statement = _second(office, PARKED)
    assert [office.written[0].params["inbox"], statement.params["inbox"]] == [0, 5]
    assert finish._TRIES > 1


@pytest.mark.parametrize(
    ("outcome", "matters", "channel"),
    [
        (Succeeded(4, "1"), False, FREED),
        (Failed(4, Reason.STEP_ERROR, {"code": "step_error"}), False, FREED),
        (Succeeded(4, "1"), True, PROMOTE),
        (PARKED, False, PROMOTE),
    ],
)
def test_an_end_that_matters_to_no_other_run_is_hinted_at_as_a_free_slot_alone(
    outcome: Any, matters: bool, channel: str
) -> None:
    office = Office(_row(None), over=False)
    record(office, FENCE, rows.claim(matters_to_others=matters), outcome, active_ms=1)  # type: ignore[arg-type]
    assert office.woken == [channel]
