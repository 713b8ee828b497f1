"""Writes values by their shape as JSON's own types, so that `decode` makes the same values of them again.

What the shape does not tell is tagged (see `tags`): one of two classes with the same fields, a subclass, anything but JSON's
own types where the annotation says nothing. RECORD is read by the agents themselves, RESULT by people and other programs too,
so that what is not annotated is plain there. INPUT is read where no tags exist: a value that needs one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, StrEnum
from typing import Any, Final

from taxiway.decode import is_read
from taxiway.describe import described, named
from taxiway.encode import Unfit, checked_integer, checked_number, checked_text, plain_at, type_name
from taxiway.errors import InvalidValue
from taxiway.kinds import base_for, base_of, is_found, shape_for
from taxiway.same import same
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
    shape_of,
)
from taxiway.states import state_of
from taxiway.tags import STATE, TAG, is_tagged, name_of, tagged
from taxiway.texts import Parsed


class For(StrEnum):
    """Who reads what is written."""

    RECORD = "record"
    RESULT = "result"
    INPUT = "input"


class Ambiguous(Unfit):
    """A value that would come back as another one where no tags exist."""


_TOO_DEEP: Final = "is nested deeper than 200 levels, or contains itself"
_ANY: Final = Anything()


class Writer:
    """Writes one value. `doubtful` says afterwards whether something was written that only reading it can prove right."""

    def __init__(self, reader: For) -> None:
        self._for = reader
        self._has_tags = reader is not For.INPUT
        self.doubtful = False

    def write(self, shape: Shape, value: Any, depth: int) -> Any:
        """Return the value as JSON's own types; raise Unfit with the path to what cannot be written."""
        if depth <= 0:
            raise Unfit(_TOO_DEEP)
        return _WRITE[type(shape)](self, shape, value, depth - 1)

    def _anything(self, _: Anything, value: Any, depth: int) -> Any:
        if self._for is not For.RECORD:
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
            return _items(value, lambda item: self.write(_ANY, item, depth))
        if kind is dict and _has_plain_keys(value):
            return _members(value, lambda item: self.write(_ANY, item, depth))
        return self._own(value, depth)

    def _scalar(self, shape: Scalar, value: Any, depth: int) -> Any:
        kind = shape.kind
        if type(value) is kind:
            check = _CHECKS.get(kind)
            return value if check is None else check(value)
        if kind is float and type(value) is int:
            return _as_float(value)
        if not isinstance(value, kind):
            raise _unlike(shape, value)
        if self._for is For.RESULT and type(value) is not bool:
            return plain_at(value, depth)
        return self._own(value, depth)

    def _parsed(self, shape: Parsed, value: Any, depth: int) -> Any:
        if type(value) is not shape.kind:
            return self._other(shape, value, shape.kind, depth)
        if self._for is For.RECORD and (state := state_of(value)) is not None:
            return tagged(name_of(shape.kind), state, STATE)
        return checked_text(shape.write(value))

    def _choice(self, shape: Choice, value: Any, depth: int) -> Any:
        for constant, member in shape.options:
            if member is value or (type(member) is type(value) and not isinstance(value, Enum) and member == value):
                return plain_at(constant, depth)
        raise _unlike(shape, value)

    def _bits(self, shape: Bits, value: Any, depth: int) -> Any:
        return checked_integer(value.value) if type(value) is shape.kind else self._other(shape, value, shape.kind, depth)

    def _sequence(self, shape: Sequence, value: Any, depth: int) -> Any:
        if type(value) is shape.build:
            return _items(value, lambda item: self.write(shape.item, item, depth))
        if isinstance(value, str | bytes | Mapping):
            raise _unlike(shape, value)
        if not isinstance(value, shape.takes):
            raise _unlike(shape, value)
        items = _items(_listed(shape, value), lambda item: self.write(shape.item, item, depth))
        return self._own(value, depth) if self._for is For.RECORD else items

    def _bag(self, shape: Bag, value: Any, depth: int) -> Any:
        if type(value) is not shape.build:
            return self._other(shape, value, shape.takes, depth)
        items = (self.write(shape.item, item, depth) for item in value)
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))

    def _fixed(self, shape: Fixed, value: Any, depth: int) -> Any:
        if type(value) is not shape.kind:
            return self._other(shape, value, shape.kind, depth)
        if len(value) != len(shape.items):
            raise Unfit(f"expected {described(shape)}, got a tuple of {len(value)}")
        shapes = iter(shape.items)
        return _items(value, lambda item: self.write(next(shapes), item, depth))

    def _table(self, shape: Table, value: Any, depth: int) -> Any:
        if not isinstance(value, shape.takes):
            raise _unlike(shape, value)
        for key in value:
            if not isinstance(key, str):
                raise Unfit(f"key {key!r:.80} is {type_name(key)}, expected {described(shape)}")
        members = _members(value, lambda item: self.write(shape.value, item, depth))
        if (type(value) is dict and _has_plain_keys(value)) or self._for is For.INPUT:
            return members
        return members if self._for is For.RESULT and TAG not in members else self._own(value, depth)

    def _pairs(self, shape: Pairs, value: Any, depth: int) -> Any:
        if type(value) is not dict:
            return self._other(shape, value, dict, depth)
        pairs = []
        for key, item in value.items():
            try:
                pairs.append([self.write(shape.key, key, depth), self.write(shape.value, item, depth)])
            except Unfit as unfit:
                unfit.trail.append(str(key))
                raise
        return pairs

    def _one_of(self, shape: OneOf, value: Any, depth: int) -> Any:
        options = sorted(shape.options, key=lambda option: not _is_of(option, value))
        problem = None
        for option in options:
            try:
                written = self.write(option, value, depth)
            except Ambiguous:
                raise
            except Unfit as unfit:
                if problem is None and _is_of(option, value):
                    problem = unfit
                continue
            return self._told_apart(shape, option, value, written)
        raise problem or _unlike(shape, value)

    def _told_apart(self, shape: OneOf, meant: Shape, value: Any, written: Any) -> Any:
        if is_tagged(written) or (isinstance(meant, Scalar) and meant.kind is type(written)):
            return written
        others = (option for option in shape.options if option is not meant)
        exact = [option for option in shape.options if isinstance(option, Scalar) and option.kind is type(written)]
        if not exact and not any(is_read(option, written, lambda _: True, tags=self._has_tags) for option in others):
            return written
        if self._for is For.INPUT:
            raise Ambiguous(f"is a {type_name(value)}, which cannot be told from another type of {described(shape)}")
        return tagged(named(meant), written)

    def _record(self, shape: Record, value: Any, depth: int) -> Any:
        if shape.build is dict:
            return self._typed_dict(shape, value, depth)
        if type(value) is not shape.kind:
            return self._other(shape, value, shape.kind, depth)
        try:
            members = self._fields(shape, value, depth)
        except Ambiguous:
            raise
        except Unfit:
            # A field that is not what it is annotated as: what is known of the class is not enough to make it again.
            if self._for is For.INPUT:
                raise
            return self._taken_apart(value, depth)
        return members if shape.simple else self._proved(shape, value, (members,), depth)

    def _fields(self, shape: Record, value: Any, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for field in shape.fields:
            try:
                members[field.name] = self.write(shape_of(field.annotation), getattr(value, field.name), depth)
            except Unfit as unfit:
                unfit.trail.append(field.name)
                raise
            except AttributeError:
                raise Unfit(f"has no {field.name!r}") from None
        return members if self._for is not For.INPUT else {f.name: members[f.name] for f in shape.fields if f.init}

    def _typed_dict(self, shape: Record, value: Any, depth: int) -> Any:
        fields = {field.name: field for field in shape.fields}
        if type(value) is not dict:
            raise _unlike(shape, value)
        for name in (*value, *(field.name for field in shape.fields if field.required)):
            if name not in fields:
                raise Unfit(f"{described(shape)} has no {name!r:.80}")
            if name not in value:
                raise Unfit(f"has no {name!r}, {described(shape)} needs it")
        given = iter(value)
        return _members(value, lambda item: self.write(shape_of(fields[next(given)].annotation), item, depth))

    def _model(self, shape: Model, value: Any, depth: int) -> Any:
        from taxiway.adapters import written  # noqa: PLC0415 - it needs pydantic

        if type(value) is not shape.kind:
            return self._other(shape, value, shape.kind, depth)
        return self._proved(shape, value, written(shape.kind, value, shown=self._for is For.RESULT), depth)

    def _proved(self, shape: Record | Model, value: Any, forms: Iterable[Any], depth: int) -> Any:
        """Return the first form that reads as the value; where none does, its parts one by one."""
        self.doubtful = True
        for form in forms:
            try:
                written = plain_at(form, depth)
            except Unfit:
                continue
            hidden = isinstance(written, dict) and TAG in written
            if not hidden and is_read(shape, written, lambda back: same(back, value), tags=self._has_tags):
                return written
        if self._for is For.INPUT:
            raise Ambiguous(f"is a {type_name(value)} that would come back as another one")
        return self._taken_apart(value, depth)

    def _taken_apart(self, value: Any, depth: int) -> Any:
        state = state_of(value)
        if state is None:
            raise Unfit(f"is a {type_name(value)} that would come back as another one")
        self.doubtful = True
        parts = Writer(For.RECORD).write(_ANY, state, depth)
        return tagged(_checked_name(value), parts, STATE)

    def _other(self, shape: Shape, value: Any, kind: type | tuple[type, ...], depth: int) -> Any:
        """Write what is not of the annotated type itself: a subclass of it."""
        if not isinstance(value, kind):
            raise _unlike(shape, value)
        if self._for is For.INPUT and isinstance(shape, Record | Model):
            raise Ambiguous(f"is a {type_name(value)}, which would come back as a {described(shape)}")
        return self._own(value, depth)

    def _own(self, value: Any, depth: int) -> Any:
        """Write a value by its own type."""
        kind = type(value)
        if self._for is For.INPUT:
            raise Unfit(f"is a {type_name(value)}, which would come back as another type")
        if (shape := shape_for(kind)) is not None:
            name = _checked_name(value)
            written = self.write(shape, value, depth)
            return written if is_tagged(written) and written[TAG] == name and STATE in written else tagged(name, written)
        self.doubtful = True
        if (state := state_of(value)) is not None:
            return tagged(_checked_name(value), Writer(For.RECORD).write(_ANY, state, depth), STATE)
        if (base := base_for(kind)) is not None:
            name = _checked_name(value)
            return tagged(name, Writer(For.RECORD).write(base, base_of(kind)(value), depth))
        raise Unfit(f"{type_name(value)} is not JSON: {_FIX}")


_FIX: Final = "return a dataclass, a model, or what JSON has"


def _checked_name(value: Any) -> str:
    kind = type(value)
    if not is_found(kind):
        raise Unfit(
            f"{type_name(value)} is not JSON, and is not found again by this name: define it at the top of its module, "
            "or name it in the annotation"
        )
    return name_of(kind)


def _unlike(shape: Shape, value: Any) -> Unfit:
    return Unfit(f"expected {described(shape)}, got {_seen(value)}")


def _seen(value: Any) -> str:
    if value is None or type(value) in (bool, int, float, str):
        return f"{value!r:.80}"
    return type_name(value)


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


def _has_plain_keys(value: dict[Any, Any]) -> bool:
    return all(type(key) is str for key in value) and TAG not in value


def _as_float(value: int) -> int:
    try:
        if float(value) == value:
            return value
    except OverflowError:
        pass
    raise Unfit("is an integer that no float equals")


def _listed(shape: Shape, value: Any) -> list[Any]:
    if not isinstance(value, list | tuple | set | frozenset):
        raise _unlike(shape, value)
    return list(value)


def _items(value: Iterable[Any], write: Callable[[Any], Any]) -> list[Any]:
    items: list[Any] = []
    for item in value:
        try:
            items.append(write(item))
        except Unfit as unfit:
            unfit.trail.append(len(items))
            raise
    return items


def _members(value: Mapping[Any, Any], write: Callable[[Any], Any]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, item in value.items():
        name = checked_text(key)
        try:
            members[name] = write(item)
        except Unfit as unfit:
            unfit.trail.append(name)
            raise
    return members


_CHECKS: Final[dict[type, Callable[[Any], Any]]] = {str: checked_text, int: checked_integer, float: checked_number}
_WRITE: Final[dict[type, Any]] = {
    Anything: Writer._anything,
    Scalar: Writer._scalar,
    Parsed: Writer._parsed,
    Choice: Writer._choice,
    Bits: Writer._bits,
    Sequence: Writer._sequence,
    Bag: Writer._bag,
    Fixed: Writer._fixed,
    Table: Writer._table,
    Pairs: Writer._pairs,
    OneOf: Writer._one_of,
    Record: Writer._record,
    Model: Writer._model,
}
