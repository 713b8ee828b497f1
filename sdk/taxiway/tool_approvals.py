"""Approvals of tool calls, for runs with the strategy ON_TOOL_CALL: people see the function and its arguments."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from typing import Any, Final

from taxiway.approvals import approval
from taxiway.encode import plain
from taxiway.errors import InvalidValue
from taxiway.steps import StepOnDeny
from taxiway.waits import Wish

ON_TOOL_CALL: Final = "ON_TOOL_CALL"
_MAX_SHOWN: Final = 32 * 1024


def tool_call(name: str, key: str, arguments: Any, *, on_deny: StepOnDeny) -> Wish:
    """Describe the approval of one call of a tool."""
    details = {"function": name, "arguments": arguments}
    return approval(f"Call {name}?", details=details, on_deny=on_deny, step={"key": key, "name": name})


def shown_arguments(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the arguments of a call by name, for people; long ones as their beginning and a digest."""
    try:
        given: Any = dict(inspect.signature(function).bind(*args, **kwargs).arguments)
    except (TypeError, ValueError):  # the call will fail, or the function has no signature
        given = {"args": list(args), **kwargs}
    shown = {name: _shown(value) for name, value in given.items()}
    text = json.dumps(shown, ensure_ascii=False)
    if len(text.encode()) <= _MAX_SHOWN:
        return shown
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"beginning": text[: _MAX_SHOWN // 8], "bytes": len(text.encode()), "sha256": digest}


def _shown(value: object) -> Any:
    try:
        return plain(value)
    except InvalidValue:
        return repr(value)[:200]
