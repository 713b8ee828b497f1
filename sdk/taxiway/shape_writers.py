"""Writers of values by their shape, in JSON's own types, from which `decode` makes the same values again.

A type that the shape does not tell is tagged (see `tags`): one of two classes with the same fields, a subclass, or a type
beyond JSON without an annotation. RECORD is read by the agents themselves. RESULT is read by people and other programs too,
so that values without an annotation are plain there. INPUT has no tags: a value that needs one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from taxiway.class_writers import write_model, write_other, write_own, write_record
from taxiway.decode import is_read
from taxiway.encode import Unfit, checked_integer, checked_number, checked_text, plain_at, type_name
from taxiway.object_state import state_of
from taxiway.shape_names import described, named
from taxiway.shapes import (
    Anything,
    Bag,
    Bits,
    Choice,
    Fixed,
    Model,
    OneOf,
    Pairs,
    Record,
    Scalar,
    Sequence,
    Shape,
    Table,
)
from taxiway.tags import STATE, TAG, is_tagged, name_of, tagged
from taxiway.text_types import Parsed
from taxiway.writer import Ambiguous, Reader, Writer, has_plain_keys, items_of, members_of, unlike

_ANY: Final = Anything()


def writer_for(reader: Reader) -> Writer:
    """Return a writer of one value."""
    return Writer(reader, _WRITE)


def _anything(writer: Writer, _: Anything, value: Any, depth: int) -> Any:
    if writer.reader is not Reader.RECORD:
        return plain_at(value, depth)
    kind = type(value)
    if kind is str:
        return checked_text(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return checked_integer(value)
    if kind is float:
        return checked_number(value)
    if kind is list:
        return items_of(value, lambda item: writer.write(_ANY, item, depth))
    if kind is dict and has_plain_keys(value):
        return members_of(value, lambda item: writer.write(_ANY, item, depth))
    if kind in (dict, set, frozenset) and not writer.takes_everything:
        _refuse_what_json_has_not(value)
    return write_own(writer, value, depth)


def _refuse_what_json_has_not(value: Any) -> None:
    if not isinstance(value, dict):
        raise Unfit(f"{type_name(value)} is not JSON; annotate what it holds, such as set[str], or return a list")
    for key in value:
        if not isinstance(key, str):
            raise Unfit(
                f"key {key!r:.80} is {type_name(key)}, JSON keys are text; annotate them, such as dict[int, str]"
            )


def _scalar(writer: Writer, shape: Scalar, value: Any, depth: int) -> Any:
    kind = shape.kind
    if type(value) is kind:
        check = _CHECKS.get(kind)
        return value if check is None else check(value)
    if kind is float and type(value) is int:
        return _as_float(value)
    if not isinstance(value, kind):
        raise unlike(shape, value)
    if writer.reader is not Reader.RECORD and type(value) is not bool:
        return plain_at(value, depth)
    return write_own(writer, value, depth)


def _parsed(writer: Writer, shape: Parsed, value: Any, depth: int) -> Any:
    if type(value) is not shape.kind:
        return write_other(writer, shape, value, shape.kind, depth)
    if writer.reader is Reader.RECORD and (state := state_of(value)) is not None:
        return tagged(name_of(shape.kind), state, STATE)
    return checked_text(shape.write(value))


def _choice(_: Writer, shape: Choice, value: Any, depth: int) -> Any:
    for constant, member in shape.options:
        if member is value or (type(member) is type(value) and not isinstance(value, Enum) and member == value):
            return plain_at(constant, depth)
    raise unlike(shape, value)


def _bits(writer: Writer, shape: Bits, value: Any, depth: int) -> Any:
    return (
        checked_integer(value.value)
        if type(value) is shape.kind
        else write_other(writer, shape, value, shape.kind, depth)
    )


def _sequence(writer: Writer, shape: Sequence, value: Any, depth: int) -> Any:
    if type(value) is shape.build:
        return items_of(value, lambda item: writer.write(shape.item, item, depth))
    if isinstance(value, str | bytes | Mapping):
        raise unlike(shape, value)
    if not isinstance(value, shape.takes):
        raise unlike(shape, value)
    items = items_of(_listed(shape, value), lambda item: writer.write(shape.item, item, depth))
    return _write_checked(writer, value, depth) if writer.reader is Reader.RECORD else items


def _write_checked(writer: Writer, value: Any, depth: int) -> Any:
    """Write a container by its own type; its parts fit their annotation already."""
    writer.doubtful = True
    return write_own(writer.for_parts(), value, depth)


def _bag(writer: Writer, shape: Bag, value: Any, depth: int) -> Any:
    if type(value) is not shape.build:
        return write_other(writer, shape, value, shape.takes, depth)
    items = (writer.write(shape.item, item, depth) for item in value)
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))


def _fixed(writer: Writer, shape: Fixed, value: Any, depth: int) -> Any:
    if type(value) is not shape.kind:
        return write_other(writer, shape, value, shape.kind, depth)
    if len(value) != len(shape.items):
        raise Unfit(f"expected {described(shape)}, got a tuple of {len(value)}")
    shapes = iter(shape.items)
    return items_of(value, lambda item: writer.write(next(shapes), item, depth))


def _table(writer: Writer, shape: Table, value: Any, depth: int) -> Any:
    if not isinstance(value, shape.takes):
        raise unlike(shape, value)
    for key in value:
        if not isinstance(key, str):
            raise Unfit(f"key {key!r:.80} is {type_name(key)}, expected {described(shape)}")
    members = members_of(value, lambda item: writer.write(shape.value, item, depth))
    if (type(value) is dict and has_plain_keys(value)) or writer.reader is Reader.INPUT:
        return members
    return members if writer.reader is Reader.RESULT and TAG not in members else _write_checked(writer, value, depth)


def _pairs(writer: Writer, shape: Pairs, value: Any, depth: int) -> Any:
    if type(value) is not dict:
        return write_other(writer, shape, value, dict, depth)
    pairs = []
    for key, item in value.items():
        try:
            pairs.append([writer.write(shape.key, key, depth), writer.write(shape.value, item, depth)])
        except Unfit as unfit:
            unfit.trail.append(str(key))
            raise
    return pairs


def _one_of(writer: Writer, shape: OneOf, value: Any, depth: int) -> Any:
    options = sorted(shape.options, key=lambda option: not _is_of(option, value))
    problem = None
    for option in options:
        try:
            written = writer.write(option, value, depth)
        except Ambiguous:
            raise
        except Unfit as unfit:
            if problem is None and _is_of(option, value):
                problem = unfit
            continue
        return _distinguished(writer, shape, option, value, written)
    raise problem or unlike(shape, value)


def _distinguished(writer: Writer, shape: OneOf, meant: Shape, value: Any, written: Any) -> Any:
    if is_tagged(written) or (isinstance(meant, Scalar) and meant.kind is type(written)):
        return written
    others = (option for option in shape.options if option is not meant)
    exact = [option for option in shape.options if isinstance(option, Scalar) and option.kind is type(written)]
    if not exact and not any(is_read(option, written, lambda _: True, tags=writer.has_tags) for option in others):
        return written
    if writer.reader is Reader.INPUT:
        raise Ambiguous(
            f"is a {type_name(value)}, which is not distinguishable from another type of {described(shape)}"
        )
    return tagged(named(meant), written)


def _is_of(shape: Shape, value: Any) -> bool:
    """Return whether a value is of a shape's very type."""
    kind = type(value)
    match shape:
        case Scalar(own) | Parsed(kind=own) | Bits(own) | Record(kind=own) | Model(own) | Fixed(kind=own):
            return kind is own or (isinstance(shape, Record) and shape.build is dict and kind is dict)
        case Choice(options):
            return any(type(member) is kind for _, member in options)
        case Sequence(build=own) | Bag(build=own):
            return kind is own
        case Table() | Pairs():
            return kind is dict
        case Anything() | OneOf():
            return False


def _as_float(value: int) -> int:
    try:
        if float(value) == value:
            return value
    except OverflowError:
        pass
    raise Unfit("is an integer that no float equals")


def _listed(shape: Shape, value: Any) -> list[Any]:
    if not isinstance(value, list | tuple | set | frozenset):
        raise unlike(shape, value)
    return list(value)


_CHECKS: Final[dict[type, Callable[[Any], Any]]] = {str: checked_text, int: checked_integer, float: checked_number}
_WRITE: Final[dict[type, Any]] = {
    Anything: _anything,
    Scalar: _scalar,
    Parsed: _parsed,
    Choice: _choice,
    Bits: _bits,
    Sequence: _sequence,
    Bag: _bag,
    Fixed: _fixed,
    Table: _table,
    Pairs: _pairs,
    OneOf: _one_of,
    Record: write_record,
    Model: write_model,
}
