"""Programs, each with its seed, that found a fault once; its comment names the fault."""

from __future__ import annotations

from typing import Any, Final

from .node import Node


def _part(kind: str, *parts: Node, **options: Any) -> Node:
    return Node(kind, options, parts)


def _step(**said: Any) -> Node:
    return _part("step", **{"arg": "int", "loop": True, "pinned": False, "attempts": 1, "fails": 0, "delay": 0} | said)


FOUND: Final[list[tuple[Node, int]]] = [
    # The past was handed out before the agent's first step had requested any of it.
    (_part("gather", _step(arg="bytes"), _step(arg="bytes")), 0),
    # A set yielded coroutines in the order of their addresses.
    (_part("as_completed", _step(pinned=True), _part("approve", seconds=None)), 0),
    # Two steps were given up by simultaneous time-outs, recorded behind their records.
    (_part("gather", *(_part("timeout", _step(), seconds=2, how="wait_for", rounds=0) for _ in range(2))), 0),
    # Beats before an outcome were not counted again in a replay, which jumped to it.
    (_part("beside_beats", _part("approve", seconds=None), seconds=1), 0),
    # A step's end and a timer at the same moment.
    (_part("beside_beats", _step(pinned=True, loop=False), seconds=2), 2),
    # A given-up step in a thread had not unwound when the next thing was shown.
    (_part("tidy", _part("future", _step(loop=False)), _step(loop=False), seconds=2), 4),
    # Timers that had led to an open wait fired at another time after a long park.
    (
        _part(
            "tidy",
            _part("seq", _part("rest", seconds=1), _part("approve", seconds=None)),
            _part("tidy", _part("pause", seconds=60), _part("spawn"), seconds=1),
            seconds=2,
        ),
        127,
    ),
    # An alarm had passed when the run was parked again for the same moment.
    (
        _part(
            "seq",
            _part("beside_beats", _part("sleep", seconds=1), seconds=1),
            _part("beside_beats", _part("approve", seconds=None), seconds=1),
        ),
        0,
    ),
    # A `finally` that sleeps did not end when the run was parked.
    (
        _part(
            "queue",
            _part("give_up", _part("fan", many=2, as_they_come=False), _part("signal", seconds=None)),
            _part("tidy", _part("approve", seconds=None), _part("rest", seconds=8), seconds=5),
            _part("locked", _part("first", kinds=["timer"], rest=False), _part("pause", seconds=None), many=1),
            size=1,
        ),
        1500,
    ),
]
