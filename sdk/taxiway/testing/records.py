"""Records of a played run, as a worker would write them; the next activation receives them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from taxiway.frames import Frame, Kind
from taxiway.ledger import Recorded, Status, StepError, Turn
from taxiway.testing.outcome import Error, Event, Step

LARGE: Final = 32 * 1024
"""Bytes above which the next activation must recall a value instead of receiving it."""


class Records:
    """The records of one run; `start` starts its children: from the key of a call, their agent, and an input for each."""

    def __init__(self, start: Callable[[str, str, Sequence[str]], str]) -> None:
        self._start = start
        self._inputs: dict[str, list[str]] = {}
        self._steps: dict[str, dict[str, Any]] = {}
        self._seq = 0
        self.turns: list[Turn] = []
        self.gone: list[str] = []
        """The waits that the agent has given up."""
        self.events: list[Event] = []
        self.logs: list[str] = []
        self.end: Frame = {}
        """The frame with which the newest activation ended."""

    def take(self, frame: Frame) -> str | None:
        """Record a frame; return the value of its acknowledgement."""
        match frame["frame"]:
            case Kind.SPAWN:
                return self._spawn(frame)
            case Kind.STEP:
                self._record(frame, Status.SUCCEEDED)
            case Kind.STEP_FAILED:
                self._record(frame, Status.FAILED if frame["final"] else Status.RETRYING)
            case Kind.STEP_ABANDONED:
                self._record(frame, Status.ABANDONED)
            case Kind.TURN:
                self.gone += frame["gone"]
                self.turns.append(Turn.from_frame({**frame, "seq": self._seq}))
            case Kind.STEP_STARTED if frame["once"]:
                self._record({**frame, "attempts": frame["attempt"]}, Status.INTENDED)
            case Kind.EVENT:
                self.events.append(_event(frame))
            case Kind.LOG:
                self.logs.append(frame["message"])
            case Kind.PARK | Kind.RESTART | Kind.FINISH | Kind.FAIL:
                self.end = frame
        return None

    def recorded(self) -> list[Recorded]:
        """Return the records for the next activation."""
        return [_recorded(item) for item in self._steps.values()]

    def value(self, key: str) -> str:
        """Return a large recorded value."""
        text: str = self._steps[key]["value"]
        return text

    def steps(self) -> list[Step]:
        """Return the steps for the test."""
        return [_step(item) for item in self._steps.values()]

    def _spawn(self, frame: Frame) -> str | None:
        """Start children once all of their inputs have arrived; return their ids, the value of a step."""
        inputs = self._inputs.setdefault(frame["key"], [])
        inputs += frame["inputs"]
        if frame["more"]:
            return None
        del self._inputs[frame["key"]]
        ids = self._start(frame["key"], frame["agent"], inputs)
        self._record({**frame, "attempts": 1, "value": ids}, Status.SUCCEEDED)
        return ids

    def _record(self, frame: Frame, status: Status) -> None:
        self._steps.pop(frame["key"], None)
        self._seq += 1
        self._steps[frame["key"]] = {**frame, "status": status, "seq": self._seq}


def _event(frame: Frame) -> Event:
    """Return the event of a frame; an event that the agent emitted keeps its type."""
    data = json.loads(frame["data"])
    own = frame["type"] == "agent"
    kind, what = (data["type"], data["data"]) if own else (frame["type"], data)
    return Event(kind, what, frame["durable"], _name(frame["step"]))


def _name(key: str | None) -> str | None:
    return None if key is None else key.partition("#")[0].partition("@")[0]


def _recorded(item: dict[str, Any]) -> Recorded:
    value, error = item.get("value"), item.get("error")
    large = value is not None and len(value.encode()) > LARGE
    return Recorded(
        item["key"],
        item["name"],
        item["status"],
        item["attempts"],
        None if large else value,
        StepError(error["type"], error["message"], error["code"]) if error else None,
        large,
        item["digest"],
        item["seq"],
        item.get("at"),
    )


def _step(item: dict[str, Any]) -> Step:
    value, error = item.get("value"), item.get("error")
    return Step(
        item["name"],
        str(item["status"]),
        item["attempts"],
        None if value is None else json.loads(value),
        Error(error["code"], error["type"], error["message"]) if error else None,
        item.get("approval"),
        item["key"],
    )
