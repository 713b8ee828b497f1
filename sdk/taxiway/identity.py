"""Identity of calls: names, keys and digests that are equal in every activation of a run."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from taxiway.digest import value_digest
from taxiway.encode import rich_to_plain, type_name
from taxiway.short_repr import SHORT_REPR
from taxiway.storable_text import storable

DIGEST_LENGTH: Final = 16
MAX_NAME: Final = 200
MOST_SHOWN: Final = 6
MOST_SHOWN_CHARACTERS: Final = 200
_MAX_DEPTH: Final = 50
_SHORT: Final = frozenset({bool, float, type(None)})
_LONG_NUMBER: Final = 10**30


def step_key(name: str, digest: str, occurrence: int) -> str:
    """Return the key of a step within its run."""
    return f"{name}#{digest}#{occurrence}"


def placed_key(name: str, path: str, occurrence: int) -> str:
    """Return the key of a call of an async agent: name, path, and its number among the calls of that name on the path."""
    return f"{name}@{path}#{occurrence}"


def idempotency_key(run_id: str, key: str) -> str:
    """Return 32 hex digits by which outside systems recognise repeats of a step: stable for the run and the step."""
    return hashlib.sha256(f"{run_id}/{key}".encode()).hexdigest()[:32]


def call_digest(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return a digest of a call's arguments by their values and, after a space, their short text for people."""
    return f"{value_digest(args, kwargs)} {shown_arguments(args, kwargs)}"


def shown_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return the arguments of a call for an error message: short, on one line, storable."""
    try:
        shown = [_brief(value) for value in args[:MOST_SHOWN]] + ["…"] * (len(args) > MOST_SHOWN)
        shown += [f"{name}={_brief(value)}" for name, value in list(kwargs.items())[:MOST_SHOWN]]
    except Exception:  # noqa: BLE001 - foreign objects may raise anything, and their text is only a help
        return "…"
    return storable(", ".join(shown), MOST_SHOWN_CHARACTERS)


def _brief(value: object) -> str:
    kind = type(value)
    short = kind in _SHORT or (kind is int and -_LONG_NUMBER < value < _LONG_NUMBER)  # type: ignore[operator]
    return repr(value) if short else SHORT_REPR.repr(value)


def arguments_digest(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return the older digest of a call's arguments, in which a value that JSON cannot hold counts by its type's name.

    It identifies calls in runs that were recorded before arguments counted by value.
    """
    given = [list(args), dict(kwargs)]
    try:
        text = json.dumps(given, sort_keys=True, separators=(",", ":"), default=_described)
    except (TypeError, ValueError, RecursionError):  # odd keys, cycles, too deep
        text = json.dumps(_described_deeply(given, _MAX_DEPTH), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def step_name(function: Callable[..., Any]) -> str:
    """Return the name of a callable; raise TypeError if it has none that identifies it."""
    if isinstance(function, functools.partial) or not hasattr(function, "__qualname__"):
        raise TypeError(f"a {type_name(function)} has no name to record a step under: use run.using(name='…').step(…)")
    name: str = function.__qualname__.rpartition("<locals>.")[2]
    if "<lambda>" in name:
        raise TypeError("a lambda has no name to record a step under: use run.using(name='…').step(…)")
    return checked_name(name)


def checked_name(name: str) -> str:
    """Return `name` if it can name a step, an agent, a queue or a signal; raise TypeError or ValueError otherwise.

    The server has the same rule: every such name is one segment of a path of the API, percent-encoded.
    """
    if not isinstance(name, str):
        raise TypeError(f"a name is a text, not {type_name(name)}")
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise ValueError(f"a name has 1 to {MAX_NAME} printable characters, not {name!r:.80}")
    if name in (".", ".."):
        raise ValueError(f"a name cannot be {name!r}: no path of the API can hold it")
    return name


def _described(value: object) -> Any:
    try:
        return rich_to_plain(value)
    except Exception:  # noqa: BLE001 - a foreign object may raise anything, but its type has a name
        return {"$type": type_name(value)}


def _described_deeply(value: object, depth: int) -> Any:
    if depth <= 0:
        return {"$type": type_name(value)}
    if isinstance(value, Mapping):
        pairs = ([_described_deeply(key, depth - 1), _described_deeply(item, depth - 1)] for key, item in value.items())
        return sorted(pairs, key=json.dumps)
    if isinstance(value, list | tuple):
        return [_described_deeply(item, depth - 1) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    described = _described(value)
    return described if "$type" in described else _described_deeply(described, depth - 1)
