"""An outcome has one word for Flower, and no word contains data of the run."""

from __future__ import annotations

import inspect
from types import UnionType
from typing import get_args

import pytest

from executor.activation import outcome
from executor.activation.outcome import (
    Canceled,
    Dropped,
    Failed,
    HandedBack,
    HostLost,
    Outcome,
    Parked,
    Paused,
    Restarted,
    Succeeded,
    flower_label,
)
from models.lifecycle import Reason, Verb
from models.moves import NewWait

SECRET = "sentinel"
EXAMPLES: list[tuple[Outcome, str]] = [
    (Succeeded(3, SECRET), "succeeded"),
    (Restarted(3, SECRET), "succeeded:restarted"),
    (Failed(3, "step_error", {"message": SECRET}, SECRET, "killed"), "failed:step_error"),
    (Canceled(3, SECRET, "killed", SECRET, SECRET), "canceled"),
    (Parked(3, Verb.PAUSE_BY_AGENT, Reason.CODE_MISMATCH, (NewWait(SECRET, "code"),)), "parked:code_mismatch"),
    (Paused(), "parked:by_user"),
    (Paused(SECRET), "parked:window_closed"),
    (HostLost(SECRET, SECRET), "recovered:host_lost"),
    (HandedBack("drained", SECRET), "handed_back:drained"),
    (Dropped("stale"), "dropped:stale"),
]


@pytest.mark.parametrize(("ended", "name"), EXAMPLES)
def test_each_outcome_has_its_word(ended: Outcome, name: str) -> None:
    assert flower_label(ended) == name
    assert SECRET not in name


def test_every_outcome_has_an_example_here() -> None:
    assert isinstance(Outcome, UnionType)
    assert {type(ended) for ended, _ in EXAMPLES} == set(get_args(Outcome))
    defined = {kind for _, kind in inspect.getmembers(outcome, inspect.isclass) if kind.__module__ == outcome.__name__}
    assert defined == set(get_args(Outcome))
