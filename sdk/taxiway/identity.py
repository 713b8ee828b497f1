"""Decides which calls of a step are the same one, in this activation and in any other of the run."""

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
    """Return the key of a call of an async agent: where it stands, its name, and its place among the calls of that name there."""
    return f"{name}@{path}#{occurrence}"


def idempotency_key(run_id: str, key: str) -> str:
    """Return what outside systems may tell repeats of a step by: stable for the run and the step, 32 hex digits."""
    return hashlib.sha256(f"{run_id}/{key}".encode()).hexdigest()[:32]


def call_digest(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return a digest of the arguments of a call by their values and, behind a space, what they look like to people."""
    return f"{value_digest(args, kwargs)} {shown_arguments(args, kwargs)}"


def shown_arguments(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return the arguments of a call as a reader of an error wants to see them: short, on one line, storable."""
    try:
        shown = [_brief(value) for value in args[:MOST_SHOWN]] + ["…"] * (len(args) > MOST_SHOWN)
        shown += [f"{name}={_brief(value)}" for name, value in list(kwargs.items())[:MOST_SHOWN]]
    except Exception:  # noqa: BLE001 - foreign objects may raise whatever they like; what they look like is a help, no more
        return "…"
    return storable(", ".join(shown), MOST_SHOWN_CHARACTERS)


def _brief(value: object) -> str:
    kind = type(value)
    short = kind in _SHORT or (kind is int and -_LONG_NUMBER < value < _LONG_NUMBER)  # type: ignore[operator]
    return repr(value) if short else SHORT_REPR.repr(value)


def arguments_digest(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return a digest of the arguments of a call; what JSON cannot hold counts by the name of its type.

    Runs that were recorded before arguments counted by value are recognised by it.
    """
    given = [list(args), dict(kwargs)]
    try:
        text = json.dumps(given, sort_keys=True, separators=(",", ":"), default=_described)
    except (TypeError, ValueError, RecursionError):  # odd keys, cycles, too deep
        text = json.dumps(_described_deeply(given, _MAX_DEPTH), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def step_name(function: Callable[..., Any]) -> str:
    """Return the name that a callable has by itself; raise TypeError when it has none to be recognised by."""
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
        raise ValueError(f"a name has 1 to {MAX_NAME} printable characters, {name!r:.80} has not")
    if name in (".", ".."):
        raise ValueError(f"a name is not {name!r}, which no address of the API can hold")
    return name


def _described(value: object) -> Any:
    try:
        return rich_to_plain(value)
    except Exception:  # noqa: BLE001 - whatever a foreign object raises while it is looked at, its type has a name
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
