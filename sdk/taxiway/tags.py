"""Tags: type names in records, for values whose annotation does not tell their type.

    {"$taxiway": "module:Name", "value": …}   the value as that type is written
    {"$taxiway": "module:Name", "state": …}   its parts one by one, where the type's own JSON would lose some

Only records and results hold tags. Data from outside can never name a type.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import PurePath
from typing import Any, Final

TAG: Final = "$taxiway"
VALUE, STATE = "value", "state"
_BUILT_IN: Final[dict[str, type]] = {
    kind.__name__: kind for kind in (str, int, float, bool, bytes, list, tuple, dict, set, frozenset)
}


def tagged(name: str, value: Any, form: str = VALUE) -> dict[str, Any]:
    """Return a value with a tag."""
    return {TAG: name, form: value}


def is_tagged(value: Any) -> bool:
    """Return whether a JSON value is a tag with its value."""
    return (
        type(value) is dict
        and len(value) == 2
        and isinstance(value.get(TAG), str)
        and (VALUE in value or STATE in value)
    )


def name_of(kind: type) -> str:
    """Return the name that a tag has for a type."""
    if kind.__module__ == "builtins":
        return kind.__qualname__
    # The module of path classes differs between versions of Python.
    module = "pathlib" if issubclass(kind, PurePath) and kind.__module__.startswith("pathlib") else kind.__module__
    return f"{module}:{kind.__qualname__}"


def find(name: str, *, importing: bool) -> type:
    """Return the type that a tag names; raise LookupError. Without `importing`, search imported modules only."""
    module_name, _, path = name.rpartition(":")
    if not module_name:
        return _BUILT_IN[name]
    try:
        found: Any = importlib.import_module(module_name) if importing else sys.modules[module_name]
        for part in path.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise LookupError(name) from error
    if not isinstance(found, type) or name_of(found) != name:
        raise LookupError(name)
    return found
