"""Codec of a run's values: JSON text that reads back as the same value.

record, replay     values of steps, which only the agents read
result, resulted   results of agents, which people, programs and the parent run read
given              inputs of children, which are read like any input
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from taxiway.decode import rebuild, recorded, resulting
from taxiway.encode import MAX_DEPTH, Unfit, json_of, json_text, plain
from taxiway.equality import same
from taxiway.errors import InvalidValue
from taxiway.shape_writers import writer_for
from taxiway.shapes import Shape
from taxiway.tags import TAG
from taxiway.writer import Ambiguous, Reader, Writer


def record(shape: Shape, value: object, encode: Callable[[Any], str] = json_of) -> tuple[str, Any]:
    """Return the JSON text of a step's value, and the value that replays read from it; raise InvalidValue.

    The first execution hands over the same value as a replay, so that an agent cannot tell the two apart.
    """
    writer = writer_for(Reader.RECORD)
    text = encode(_written(writer, shape, value))
    back = replay(shape, text)
    if writer.doubtful and not same(back, value):
        raise InvalidValue("$", "reads back from JSON as another value")
    return text, back


def replay(shape: Shape, text: str) -> Any:
    """Return the value of a recorded JSON text; raise InvalidValue if it no longer fits."""
    value = json.loads(text)
    return recorded(shape, value) if TAG in text else rebuild(shape, value)


def result(shape: Shape | None, value: object) -> str:
    """Return the JSON text of an agent's result; raise InvalidValue. Without an annotation (None) any JSON value fits."""
    return json_text(value) if shape is None else json_of(_written(writer_for(Reader.RESULT), shape, value))


def resulted(shape: Shape | None, value: Any) -> Any:
    """Return an agent's result from its JSON value; raise InvalidValue if it does not fit."""
    return value if shape is None else resulting(shape, value)


def given(shapes: Mapping[str, Shape], rest: Shape | None, inputs: Mapping[str, object]) -> str:
    """Return the JSON text of an agent's input; raise InvalidValue for a value that the agent would read as another one.

    A value that does not fit is written plainly: the agent's schema refuses it.
    """
    return json_of({name: _given(shapes.get(name, rest), name, value) for name, value in plain_keys(inputs).items()})


def plain_keys(inputs: Mapping[str, object]) -> Mapping[str, object]:
    """Return the inputs; raise InvalidValue if a name is not text."""
    for name in inputs:
        plain({name: None})
    return inputs


def _given(shape: Shape | None, name: str, value: object) -> Any:
    try:
        if shape is not None:
            return writer_for(Reader.INPUT).write(shape, value, MAX_DEPTH)
    except Ambiguous as unfit:
        unfit.trail.append(name)
        raise InvalidValue(unfit.path(), unfit.problem) from None
    except Unfit:
        pass
    return plain({name: value})[name]


def _written(writer: Writer, shape: Shape, value: object) -> Any:
    try:
        return writer.write(shape, value, MAX_DEPTH)
    except Unfit as unfit:
        raise InvalidValue(unfit.path(), unfit.problem) from None
    except RecursionError:
        raise InvalidValue("$", f"is nested deeper than {MAX_DEPTH} levels, or contains itself") from None
