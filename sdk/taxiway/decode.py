"""Rebuilds Python values from JSON by their shape.

Input is held to its annotation. A recorded value is not: it already is what the step returned, so that a part which
does not fit the annotation is handed over as JSON has it; only a class that refuses its own fields is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, assert_never

from taxiway.encode import place, type_name
from taxiway.errors import InvalidValue
from taxiway.shapes import (
    Anything,
    Choice,
    Fixed,
    Model,
    OneOf,
    Parsed,
    Record,
    Scalar,
    Sequence,
    Shape,
    Table,
    shape_of,
)


def decode(shape: Shape, value: Any, path: str = "$") -> Any:
    """Return an input value in its annotated form; raise InvalidValue, with the path, where it does not fit."""
    return _STRICT.read(shape, value, path)


def rebuild(shape: Shape, value: Any) -> Any:
    """Return a recorded value in its annotated form, parts of another form as they are.

    Raises InvalidValue when a class refuses the fields that were recorded of it.
    """
    return _LENIENT.read(shape, value, "$")


class _Refused(InvalidValue):
    """A class did not accept its own fields."""


class _Reader:
    def __init__(self, *, lenient: bool) -> None:
        self._lenient = lenient

    def read(self, shape: Shape, value: Any, path: str) -> Any:
        try:
            return self._read(shape, value, path)
        except _Refused:
            raise
        except InvalidValue:
            if self._lenient:
                return value
            raise

    def _read(self, shape: Shape, value: Any, path: str) -> Any:  # noqa: C901 - one line for each shape
        match shape:
            case Anything():
                return value
            case Scalar(kind):
                return _scalar(kind, value, path)
            case Parsed():
                return _parsed(shape, value, path)
            case Choice(options):
                return _choice(options, value, path)
            case Sequence(item, build):
                members = _expect(list, value, path)
                return build(self.read(item, member, f"{path}[{n}]") for n, member in enumerate(members))
            case Fixed():
                return self._fixed(shape, value, path)
            case Table(item):
                members = _expect(dict, value, path)
                return {key: self.read(item, member, path + place(key)) for key, member in members.items()}
            case OneOf(options):
                return self._one_of(options, value, path)
            case Record():
                return self._record(shape, value, path)
            case Model(kind):
                return _built(path, kind.model_validate, value)
            case _:
                assert_never(shape)

    def _fixed(self, shape: Fixed, value: Any, path: str) -> Any:
        members = _expect(list, value, path)
        if len(members) != len(shape.items):
            raise InvalidValue(path, f"expected {len(shape.items)} items, got {len(members)}")
        pairs = enumerate(zip(shape.items, members, strict=True))
        return shape.build([self.read(item, member, f"{path}[{n}]") for n, (item, member) in pairs])

    def _one_of(self, options: tuple[Shape, ...], value: Any, path: str) -> Any:
        problems: list[InvalidValue] = []
        # An exact type wins over a convertible one: 1 is the int of `float | int`.
        exact = [option for option in options if isinstance(option, Scalar) and option.kind is type(value)]
        for option in [*exact, *options]:
            try:
                return _STRICT.read(option, value, path)
            except InvalidValue as problem:
                problems.append(problem)
        if self._lenient:
            attempts = (self.read(option, value, path) for option in options)
            return next((attempt for attempt in attempts if attempt is not value), value)
        # The alternative that got furthest is the one that was meant.
        raise max(problems, key=lambda problem: (isinstance(problem, _Refused), len(problem.path)))

    def _record(self, shape: Record, value: Any, path: str) -> Any:
        members = _expect(dict, value, path)
        known = {field.name for field in shape.fields}
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
        return _built(path, lambda fields: shape.build(**fields), given)


_STRICT: Final = _Reader(lenient=False)
_LENIENT: Final = _Reader(lenient=True)

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


def _scalar(kind: type, value: Any, path: str) -> Any:
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return _built(path, float, value)
    if kind is int and type(value) is float and value.is_integer():  # JSON Schema's idea of an integer
        return int(value)
    raise InvalidValue(path, f"expected {_WORDS[kind]}, got {_word(value)}")


def _parsed(shape: Parsed, value: Any, path: str) -> Any:
    text = _expect(str, value, path)
    try:
        return shape.parse(text)
    except ValueError:
        raise InvalidValue(path, f"{text!r:.80} is no {shape.format}") from None


def _choice(options: tuple[tuple[Any, Any], ...], value: Any, path: str) -> Any:
    for constant, result in options:
        if type(constant) is type(value) and constant == value:
            return result
    allowed = ", ".join(repr(constant) for constant, _ in options)
    raise InvalidValue(path, f"expected one of {allowed}, got {value!r:.80}")


def _built(path: str, build: Callable[[Any], Any], value: Any) -> Any:
    try:
        return build(value)
    except Exception as error:
        raise _Refused(path, str(error)) from error
