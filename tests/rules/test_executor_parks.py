"""The frame of a park is checked completely: a question that is not allowed fails the run, a malformed frame ends the host."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from executor.activation.outcome import Canceled, Failed, Parked
from executor.activation.services import ActivationServices
from executor.activation.supervision import Supervision
from executor.errors import HostGone
from executor.hosts import Host
from models.runs.recording import Fence
from models.runtime.settings import Settings
from tests import rows

RUN = UUID(int=1)
WAIT = {"key": "a", "kind": "timer", "dueMs": 1, "request": "{}"}


def _supervision() -> Supervision:
    quiet = SimpleNamespace(try_send=lambda _: True)
    worker = cast(
        ActivationServices, SimpleNamespace(settings=Settings(), bus=None, recorder=None, draining=False, read=None)
    )
    return Supervision(worker, rows.claim(), cast(Host, quiet), Fence(RUN, 3, UUID(int=2)))


def _park(supervision: Supervision, *waits: dict[str, Any], wake: str = "all") -> Any:
    frame = {"frame": "park", "activation": f"{RUN}.3", "n": 4, "wake": wake, "waits": list(waits)}
    return supervision._handled(frame)


def test_a_park_waits_for_what_it_names() -> None:
    outcome = _park(_supervision(), WAIT, {**WAIT, "key": "b"}, wake="any")
    assert isinstance(outcome, Parked)
    assert ([wait.key for wait in outcome.waits], outcome.wake) == (["a", "b"], "any")


@pytest.mark.parametrize("waits", [(), (WAIT, WAIT), ({**WAIT, "key": "a\0"},)])
def test_a_park_for_nothing_or_for_the_same_twice_is_said_by_no_host(waits: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(HostGone, match="malformed"):
        _park(_supervision(), *waits)


def test_a_question_that_cannot_be_stored_fails_its_run() -> None:
    """Details may be nested as deep as a value, and are one level deeper in the question."""
    deep = {**WAIT, "kind": "approval", "request": '{"details": ' + "[" * 200 + "]" * 200 + "}"}
    outcome = _park(_supervision(), deep)
    assert isinstance(outcome, Failed)
    assert (outcome.n, outcome.reason, outcome.error["type"]) == (4, "invalid_output", "WaitRefused")
    assert "200 levels" in outcome.error["message"]


def test_a_cancel_beats_a_question_that_cannot_be_stored() -> None:
    supervision = _supervision()
    supervision.cancel(5, "ann", None)
    assert isinstance(_park(supervision, {**WAIT, "request": "["}), Canceled)
