"""Digest of a call's arguments by their values: equal in every process, and different if the values differ.

Each value is hashed with its type, so that 1, True, 1.0 and "1" differ, and so do [1] and (1,). The order of members of sets
and mappings does not count. An object without a value of its own (a client, a lambda, a lock) counts by its type's name.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import sys
import types
from collections import deque
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

DIGEST_LENGTH: Final = 16
_MAX_DEPTH: Final = 100
_SIZE: Final = 16
_LONG: Final = 256


def value_digest(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return a digest of the values of a call's arguments, 16 hex digits. It never raises, whatever the arguments."""
    seen = _Seen()
    parts = [b"call:%d;" % len(args), *(seen.token(value, _MAX_DEPTH) for value in args)]
    for name in sorted(kwargs):
        parts += (_framed(b"name", name.encode("utf-8", "surrogatepass")), seen.token(kwargs[name], _MAX_DEPTH))
    return hashlib.blake2b(b"".join(parts), digest_size=DIGEST_LENGTH // 2).hexdigest()


class _Seen:
    """One traversal of the arguments: remembers the enclosing values, because a value may contain itself."""

    def __init__(self) -> None:
        self._inside: set[int] = set()

    def token(self, value: Any, depth: int) -> bytes:
        """Return the bytes of a value; no token is a prefix of another."""
        kind: Any = type(value)
        exact = _EXACT.get(kind)
        if exact is not None:
            return _framed(kind.__name__.encode(), exact(value))
        if depth <= 0 or id(value) in self._inside:
            return _framed(b"cut", _name(kind))
        self._inside.add(id(value))
        try:
            return _joined(_name(kind), self._parts(value, kind, depth - 1))
        except Exception:  # noqa: BLE001 - a foreign object may raise anything, but its type has a name
            return _framed(b"object", _name(kind))
        finally:
            self._inside.discard(id(value))

    def _parts(self, value: Any, kind: type, depth: int) -> list[bytes]:  # noqa: C901 - one line for each kind
        if isinstance(value, Enum):
            return [b"enum:", _framed(b"name", _text(str(value.name))), self.token(value.value, depth)]
        for own, text in _WRITTEN:
            if isinstance(value, own):
                return [b"text:", text(value)]
        if isinstance(value, list | tuple | deque):
            return [b"items:", *self._each(value, depth), *self._beside(value, depth)]
        if isinstance(value, AbstractSet):
            return [b"set:", *sorted(self._each(value, depth)), *self._beside(value, depth)]
        if isinstance(value, Mapping):
            pairs = (self.token(key, depth) + self.token(item, depth) for key, item in value.items())
            return [b"pairs:", *sorted(pairs), *self._beside(value, depth)]
        if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType) and "<" not in value.__qualname__:
            return [b"named:", f"{value.__module__}:{value.__qualname__}".encode()]
        if isinstance(value, types.MethodType):
            return [b"method:", self.token(value.__func__, depth), self.token(value.__self__, depth)]
        if isinstance(value, functools.partial):
            return [b"partial:", *self._each((value.func, value.args, value.keywords), depth)]
        if (fields := _fields(value, kind)) is None:
            raise TypeError("has no value of its own")
        return [b"fields:", self.token(fields, depth)]

    def _each(self, values: Any, depth: int) -> list[bytes]:
        return [self.token(item, depth) for item in values]

    def _beside(self, value: Any, depth: int) -> list[bytes]:
        """Return the attributes that an instance of a subclass has besides its members."""
        beside = getattr(value, "__dict__", None)
        return [self.token(beside, depth)] if beside else []


def _fields(value: Any, kind: type) -> dict[str, Any] | None:
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.compare}
    if "pydantic" in sys.modules:
        from taxiway.pydantic_models import parts_of  # noqa: PLC0415 - it imports pydantic

        if (parts := parts_of(value)) is not None:
            return parts
    attributes = getattr(kind, "__attrs_attrs__", None)
    return None if attributes is None else {each.name: getattr(value, each.name) for each in attributes}


@functools.lru_cache(maxsize=1024)
def _name(kind: Any) -> bytes:
    return f"{kind.__module__}:{kind.__qualname__}".encode("utf-8", "surrogatepass")


def _framed(kind: bytes, content: bytes) -> bytes:
    return b"%b:%d:%b;" % (kind, len(content), content)


def _joined(kind: bytes, parts: list[bytes]) -> bytes:
    content = b"".join(parts)
    return _framed(kind, content if len(content) < _LONG else hashlib.blake2b(content, digest_size=_SIZE).digest())


def _text(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _number(value: float) -> bytes:
    return value.hex().encode()


def _complex(value: complex) -> bytes:
    return f"{value.real.hex()},{value.imag.hex()}".encode()


def _range(value: range) -> bytes:
    return f"{value.start},{value.stop},{value.step}".encode()


def _moment(value: Any) -> bytes:
    zone = getattr(getattr(value, "tzinfo", None), "key", "")
    return f"{value.isoformat()}[{zone}]{getattr(value, 'fold', 0)}".encode()


def _as_text(value: Any) -> bytes:
    return str(value).encode("utf-8", "surrogatepass")


_EXACT: Final[dict[type, Callable[[Any], bytes]]] = {
    str: _text,
    int: lambda value: b"%x" % value,
    bool: lambda value: b"1" if value else b"0",
    type(None): lambda _: b"",
    float: _number,
    bytes: bytes,
    bytearray: bytes,
    complex: _complex,
    range: _range,
}
_WRITTEN: Final[tuple[tuple[type, Callable[[Any], bytes]], ...]] = (
    (str, lambda value: _text(str.__str__(value))),
    (int, lambda value: b"%x" % int.__index__(value)),
    (float, lambda value: float.__float__(value).hex().encode()),
    (bytes, lambda value: bytes.__getitem__(value, slice(None))),
    (complex, lambda value: _complex(complex(value))),
    (date, _moment),
    (time, _moment),
    (timedelta, lambda value: f"{value.days},{value.seconds},{value.microseconds}".encode()),
    (Decimal, lambda value: Decimal.__str__(value).encode()),
    (Fraction, _as_text),
    (memoryview, bytes),
    (UUID, lambda value: value.bytes),
    (PurePath, _as_text),
)
