"""Guard of the SDK's code between a frame and its run: a patch that a run leaves there would see the next run's input.

The code is compared after each activation with its state after the agents were loaded. A process whose code has changed serves
no further run. This finds the usual patches of libraries and agents. It is not a security boundary: malicious code can
change this module as well.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from operator import attrgetter
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

_GUARDED: Final = (
    *(
        "taxiway.frames",
        "taxiway.forks",
        "taxiway.envelope",
        "taxiway.activation",
        "taxiway.conversation",
        "taxiway.inside",
    ),
    *(
        "taxiway.run",
        "taxiway.async_run",
        "taxiway.host.service",
        "taxiway.host.def_player",
        "taxiway.host.async_player",
    ),
    *("taxiway.host.leftovers", "taxiway.host.left_threads"),
)
"""Modules whose functions handle a run's input, values and tokens."""
_CODE_OF: Final = tuple(name for name in _GUARDED if name not in ("taxiway.run", "taxiway.async_run", "taxiway.inside"))
"""Modules in which the code of functions is compared too."""
_LAZY: Final = frozenset({"__annotations__", "__annotations_cache__"})
"""Names that Python itself adds to a class on first access."""
_BORROWED: Final[tuple[tuple[Any, str], ...]] = (
    (json.JSONEncoder, "encode"),
    (json.JSONEncoder, "iterencode"),
    (json.JSONDecoder, "decode"),
    (json.JSONDecoder, "raw_decode"),
    (json.encoder, "c_make_encoder"),
    (json.decoder, "scanstring"),
    *((socket.socket, name) for name in ("recv", "send", "sendall", "close", "detach", "shutdown", "fileno")),
)
"""Functions that frames need and monitoring libraries leave alone; those patch `json.loads`, `connect` and the like."""
_code_of: Final[Callable[[Any], CodeType]] = attrgetter("__code__")


class SdkCode:
    """The namespaces and functions as they are when this is made; `agents` are the agents' functions."""

    def __init__(self, agents: Iterable[Callable[..., Any]], instances: Iterable[object] = ()) -> None:
        self._names, self._spaces = _namespaces()
        self._were = [dict(space) for space in self._spaces]
        self._views = [space.values() for space in self._spaces]
        self._values = self._all_values()
        self._functions = [
            *_functions(self._names, self._spaces),
            *(one for one in agents if isinstance(one, FunctionType)),
        ]
        self._codes = list(map(_code_of, self._functions))
        self._borrowed = _borrowed()
        self._instances = [(one, set(vars(one))) for one in instances]

    def changed(self) -> list[str]:
        """Return the names of all changes."""
        # One flat list: comparing the namespaces themselves looks up each name, which takes a third longer with cold caches.
        changed = [] if self._all_values() == self._values else self._changed_names()
        if list(map(_code_of, self._functions)) != self._codes:
            pairs = zip(self._functions, self._codes, strict=True)
            changed += [f"{one.__module__}.{one.__qualname__}" for one, code in pairs if one.__code__ is not code]
        if (borrowed := _borrowed()) != self._borrowed:
            pairs_of = zip(_BORROWED, borrowed, self._borrowed, strict=True)
            changed += [f"{owner.__name__}.{name}" for (owner, name), now, was in pairs_of if now is not was]
        changed += [type(one).__name__ for one, names in self._instances if vars(one).keys() != names]
        return [f"a change of {name}" for name in changed]

    def _changed_names(self) -> list[str]:
        changed = []
        for place, (name, live, was) in enumerate(zip(self._names, self._spaces, self._were, strict=True)):
            names = [one for one in live.keys() | was.keys() if live.get(one, self) is not was.get(one, self)]
            changed += [f"{name}.{one}" for one in names if not _is_import(name, one, live, was)]
            self._were[place] = dict(live)
        self._values = self._all_values()
        return changed

    def _all_values(self) -> list[Any]:
        return list(chain.from_iterable(self._views))


def _namespaces() -> tuple[list[str], list[Mapping[str, Any]]]:
    ours = [module for name, module in list(sys.modules.items()) if name in _GUARDED]
    found: dict[str, Mapping[str, Any]] = {module.__name__: vars(module) for module in ours}
    for module in ours:
        classes = (one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__)
        found |= {f"{module.__name__}.{one.__qualname__}": vars(one) for one in classes}
    found |= {
        "taxiway.frames._ENCODER": vars(_of_frames("_ENCODER")),
        "taxiway.frames._DECODER": vars(_of_frames("_DECODER")),
    }
    return list(found), list(found.values())


def _of_frames(name: str) -> Any:
    return getattr(sys.modules["taxiway.frames"], name)


def _functions(names: Iterable[str], spaces: Iterable[Mapping[str, Any]]) -> Iterator[FunctionType]:
    within = (space for name, space in zip(names, spaces, strict=True) if name.startswith(_CODE_OF))
    found = {id(one): one for space in within for one in map(_function, space.values()) if one is not None}
    return (one for one in found.values() if one.__module__ in _CODE_OF)


def _function(value: object) -> FunctionType | None:
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, staticmethod | classmethod):
        value = value.__func__
    return value if isinstance(value, FunctionType) else None


def _borrowed() -> list[Any]:
    return [getattr(owner, name, None) for owner, name in _BORROWED]


def _is_import(space: str, name: str, live: Mapping[str, Any], was: Mapping[str, Any]) -> bool:
    """Return whether a name is new because of an import of a submodule, or because Python added it."""
    if name in was:
        return False
    value = live[name]
    return name in _LAZY or (isinstance(value, ModuleType) and value.__name__ == f"{space}.{name}")
