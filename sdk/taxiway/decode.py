"""Readers of JSON: Python values made by their shape.

Input must fit its annotation and has no tags, so that nothing from outside can name a type. A recorded value need not fit:
it is what the step returned, and a part that does not fit the annotation stays as it is in JSON. Only two things in a record
are errors: a class that refuses its own fields, and a tag that no longer names a type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from taxiway import object_state, text_types
from taxiway.annotation_shapes import shape_of
from taxiway.encode import place, type_name
from taxiway.enum_json import canonical
from taxiway.errors import InvalidValue
from taxiway.shape_names import named
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
from taxiway.tags import STATE, TAG, VALUE, find, is_tagged
from taxiway.text_types import Parsed
from taxiway.type_shapes import base_for, shape_for


def decode(shape: Shape, value: Any, path: str = "$") -> Any:
    """Return an input as a value of its annotated type; raise InvalidValue, with the path, if it does not fit."""
    return _OUTSIDE.read(shape, value, path)


def rebuild(shape: Shape, value: Any) -> Any:
    """Return a recorded value without tags as its annotated type; parts that do not fit stay as they are.

    Raises InvalidValue if a class refuses its recorded fields.
    """
    return _UNTAGGED.read(shape, value, "$")


def recorded(shape: Shape, value: Any) -> Any:
    """Return a recorded value; import the modules of the types that its tags name. Raises InvalidValue."""
    return _RECORDED.read(shape, value, "$")


def resulting(shape: Shape, value: Any) -> Any:
    """Return a run's result as its agent returned it, without importing modules. Raises InvalidValue."""
    return _RESULTING.read(shape, value, "$")


def is_read(shape: Shape, written: Any, accept: Callable[[Any], bool], *, tags: bool) -> bool:
    """Return whether this shape reads the written JSON, and `accept` returns true for the value."""
    try:
        return accept((_RECORDED if tags else _OUTSIDE).strict.read(shape, written, "$"))
    except Exception:  # noqa: BLE001 - a class's own comparison may raise anything
        return False


class _Refused(InvalidValue):
    """A class did not accept its own fields."""


class _Reader:
    def __init__(
        self, *, lenient: bool = False, tags: bool = False, importing: bool = False, outside: bool = False
    ) -> None:
        self._lenient = lenient
        self._tags = tags
        self._importing = importing
        self._outside = outside
        self.strict: _Reader = _Reader(tags=tags, importing=importing) if lenient else self

    def read(self, shape: Shape, value: Any, path: str) -> Any:
        try:
            if self._tags and is_tagged(value):
                return self._tagged(shape, value, path)
            return self._READ[type(shape)](self, shape, value, path)
        except _Refused:
            raise
        except InvalidValue:
            if self._lenient:
                return value
            raise

    def _anything(self, shape: Anything, value: Any, path: str) -> Any:
        if not self._tags:
            return value
        if type(value) is list:
            return [self.read(shape, item, f"{path}[{n}]") for n, item in enumerate(value)]
        if type(value) is dict:
            return {key: self.read(shape, item, path + place(key)) for key, item in value.items()}
        return value

    def _tagged(self, shape: Shape, value: Any, path: str) -> Any:
        name = value[TAG]
        if isinstance(shape, OneOf) and VALUE in value:
            for option in shape.options:
                if named(option) == name:
                    return self.read(option, value[VALUE], path)
        try:
            kind = find(name, importing=self._importing)
        except LookupError:
            raise _Refused(path, f"was a {name}, which no longer exists") from None
        if STATE in value:
            parts = self._anything(Anything(), value[STATE], path)
            return _built(path, lambda state: object_state.restored(kind, state), parts)
        own = shape_for(kind)
        if own is not None:
            return self.read(own, value[VALUE], path)
        if (base := base_for(kind)) is None:
            raise _Refused(path, f"was a {name}, which can no longer be read as a value")
        return _built(path, kind, self.read(base, value[VALUE], path))

    def _scalar(self, shape: Scalar, value: Any, path: str) -> Any:
        kind = shape.kind
        if type(value) is kind:
            return value
        if kind is float and type(value) is int:
            return _built(path, float, value)
        if kind is int and type(value) is float and value.is_integer():  # JSON Schema's idea of an integer
            return int(value)
        raise InvalidValue(path, f"expected {_WORDS[kind]}, got {_word(value)}")

    def _parsed(self, shape: Parsed, value: Any, path: str) -> Any:
        text = _expect(str, value, path)
        try:
            return text_types.read(shape, text)
        except ValueError:
            raise InvalidValue(path, f"{text!r:.80} is no {shape.format}") from None

    def _choice(self, shape: Choice, value: Any, path: str) -> Any:
        for constant, result in shape.options:
            if type(constant) is type(value) and constant == value and type(value) not in (list, dict):
                return result
        if type(value) in (list, dict, int, float):
            wanted = canonical(value)
            for constant, result in shape.options:
                if canonical(constant) == wanted:
                    return result
        allowed = ", ".join(repr(constant) for constant, _ in shape.options)
        raise InvalidValue(path, f"expected one of {allowed}, got {value!r:.80}")

    def _bits(self, shape: Bits, value: Any, path: str) -> Any:
        number = self._scalar(Scalar(int), value, path)
        try:
            return shape.kind(number)
        except ValueError:
            raise InvalidValue(path, f"{number} is no {shape.kind.__qualname__}") from None

    def _sequence(self, shape: Sequence, value: Any, path: str) -> Any:
        members = _expect(list, value, path)
        return shape.build(self.read(shape.item, member, f"{path}[{n}]") for n, member in enumerate(members))

    def _bag(self, shape: Bag, value: Any, path: str) -> Any:
        members = _expect(list, value, path)
        items = [self.read(shape.item, item, f"{path}[{n}]") for n, item in enumerate(members)]
        built = _built(path, shape.build, items)
        # Items that are written differently may be equal, such as one moment with two offsets.
        if self._outside and len(built) != len(items) and len(set(map(canonical, members))) != len(members):
            raise InvalidValue(path, "holds an item twice")
        return built

    def _fixed(self, shape: Fixed, value: Any, path: str) -> Any:
        members = _expect(list, value, path)
        if len(members) != len(shape.items):
            raise InvalidValue(path, f"expected {len(shape.items)} items, got {len(members)}")
        pairs = enumerate(zip(shape.items, members, strict=True))
        return shape.build([self.read(item, member, f"{path}[{n}]") for n, (item, member) in pairs])

    def _table(self, shape: Table, value: Any, path: str) -> Any:
        members = _expect(dict, value, path)
        return {key: self.read(shape.value, member, path + place(key)) for key, member in members.items()}

    def _pairs(self, shape: Pairs, value: Any, path: str) -> Any:
        pair = Fixed((shape.key, shape.value), tuple)
        pairs = [self.read(pair, member, f"{path}[{n}]") for n, member in enumerate(_expect(list, value, path))]
        return _built(path, dict, pairs)

    def _one_of(self, shape: OneOf, value: Any, path: str) -> Any:
        problems: list[InvalidValue] = []
        # An exact type wins over a convertible one: 1 is the int of `float | int`.
        exact = [option for option in shape.options if isinstance(option, Scalar) and option.kind is type(value)]
        for option in [*exact, *shape.options]:
            try:
                return self.strict.read(option, value, path)
            except InvalidValue as problem:
                problems.append(problem)
        if self._lenient:
            attempts = (self.read(option, value, path) for option in shape.options)
            return next((attempt for attempt in attempts if attempt is not value), value)
        # The alternative that was read furthest is probably the intended one.
        raise max(problems, key=lambda problem: (isinstance(problem, _Refused), len(problem.path)))

    def _record(self, shape: Record, value: Any, path: str) -> Any:
        members = _expect(dict, value, path)
        # A record also has the fields that callers may not pass.
        known = {field.name for field in shape.fields if field.init or not self._outside}
        for name in members:
            if name not in known:
                raise InvalidValue(path + place(name), f"{shape.kind.__name__} has no such field")
        given: dict[str, Any] = {}
        for field in shape.fields:
            if field.required and field.name not in members:
                raise InvalidValue(path + place(field.name), f"is missing, {shape.kind.__name__} needs it")
            if field.init and field.name in members:
                at = path + place(field.name)
                given[field.name] = self.read(shape_of(field.annotation), members[field.name], at)
        if shape.build is dict:  # in the order of the JSON members
            return {name: given[name] for name in members}
        return _built(path, lambda fields: shape.build(**fields), given)

    def _model(self, shape: Model, value: Any, path: str) -> Any:
        from taxiway import pydantic_models  # noqa: PLC0415 - it needs pydantic

        read = pydantic_models.read_leniently if self._lenient else pydantic_models.read
        try:
            return read(shape.kind, value)
        except Exception as error:
            where, problem = pydantic_models.problem_of(error)
            raise _Refused(path + where, problem) from error

    _READ: ClassVar[dict[type, Any]] = {
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
        Record: _record,
        Model: _model,
    }


_OUTSIDE: Final = _Reader(outside=True)
_UNTAGGED: Final = _Reader(lenient=True)
_RECORDED: Final = _Reader(lenient=True, tags=True, importing=True)
_RESULTING: Final = _Reader(lenient=True, tags=True)

_WORDS: Final[dict[type, str]] = {
    str: "text",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    type(None): "null",
    list: "a list",
    dict: "an object",
}


def _word(value: Any) -> str:
    return _WORDS.get(type(value), type_name(value))


def _expect(kind: type, value: Any, path: str) -> Any:
    if not isinstance(value, kind):
        raise InvalidValue(path, f"expected {_WORDS[kind]}, got {_word(value)}")
    return value


def _built(path: str, build: Callable[[Any], Any], value: Any) -> Any:
    try:
        return build(value)
    except Exception as error:
        raise _Refused(path, str(error)) from error
