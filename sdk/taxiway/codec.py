"""Writes values so that they come back as they were, and reads them: one code for all that a run takes, records and gives.

record, replay     what steps return: read by the agents alone
result, resulted   what an agent returns: read by people, by programs, and by the run that started this one
given              what an agent is given by another one: read like any input
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
    """Return the JSON text of what a step returned, and what every replay will make of it; raise InvalidValue.

    What is handed over the first time is what a replay hands over, so that no agent can tell the two apart.
    """
    writer = writer_for(Reader.RECORD)
    text = encode(_written(writer, shape, value))
    back = replay(shape, text)
    if writer.doubtful and not same(back, value):
        raise InvalidValue("$", "comes back as another value than it is")
    return text, back


def replay(shape: Shape, text: str) -> Any:
    """Return what a recorded JSON text stands for; raise InvalidValue when it no longer fits."""
    value = json.loads(text)
    return recorded(shape, value) if TAG in text else rebuild(shape, value)


def result(shape: Shape | None, value: object) -> str:
    """Return the JSON text of what an agent returned; raise InvalidValue. Without an annotation (None) all of JSON fits."""
    return json_text(value) if shape is None else json_of(_written(writer_for(Reader.RESULT), shape, value))


def resulted(shape: Shape | None, value: Any) -> Any:
    """Return what an agent returned, from its JSON; raise InvalidValue when it does not fit."""
    return value if shape is None else resulting(shape, value)


def given(shapes: Mapping[str, Shape], rest: Shape | None, inputs: Mapping[str, object]) -> str:
    """Return the JSON text of an agent's input; raise InvalidValue for what the agent would take for something else.

    What does not fit is left to the agent's schema to refuse.
    """
    return json_of({name: _given(shapes.get(name, rest), name, value) for name, value in plain_keys(inputs).items()})


def plain_keys(inputs: Mapping[str, object]) -> Mapping[str, object]:
    """Return the inputs; raise InvalidValue when their names are not all texts."""
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
