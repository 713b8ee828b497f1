"""State of a value: the parts that its type's own JSON would lose, and the value restored from them."""

from __future__ import annotations

import dataclasses
import sys
from collections import defaultdict
from datetime import datetime, time
from typing import Any

from taxiway.tags import find


def state_of(value: Any) -> Any:
    """Return the parts of a value in types that can be written, None for a value that is not taken apart."""
    if isinstance(value, datetime | time):
        zone = getattr(value.tzinfo, "key", None)  # only zones of zoneinfo can be restored by their key
        return None if zone is None else [value.replace(tzinfo=None, fold=0).isoformat(), zone, value.fold]
    if type(value) is defaultdict:
        return _of_defaultdict(value)
    if (parts := _of_model(value)) is not None:
        return parts
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {name: getattr(value, name) for name in names if hasattr(value, name)}
    return None


def restored(kind: Any, state: Any) -> Any:
    """Return the value of this type with these parts. Invalid parts may raise any error."""
    if kind in (datetime, time):
        from zoneinfo import ZoneInfo  # noqa: PLC0415 - slow to import, and most agents do not need it

        text, zone, fold = state
        return kind.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    if kind is defaultdict:
        name, members = state
        return defaultdict(None if name is None else find(name, importing=False), members)
    if not isinstance(state, dict):
        raise TypeError(f"{kind.__qualname__} does not consist of {state!r:.80}")
    if dataclasses.is_dataclass(kind):
        value: Any = object.__new__(kind)  # type: ignore[arg-type]  # `kind` is a type
        for name, part in state.items():
            object.__setattr__(value, name, part)
        return value
    from taxiway.pydantic_models import restored as restored_model  # noqa: PLC0415 - it needs pydantic

    return restored_model(kind, state)


def _of_defaultdict(value: Any) -> Any:
    factory = value.default_factory
    if factory is not None and not (isinstance(factory, type) and factory.__module__ == "builtins"):
        return None
    return [None if factory is None else factory.__name__, dict(value)]


def _of_model(value: Any) -> dict[str, Any] | None:
    if "pydantic" not in sys.modules:
        return None
    from taxiway.pydantic_models import state_of as state_of_model  # noqa: PLC0415 - it imports pydantic

    return state_of_model(value)
