"""Runner of the `taxiway` command for its tests, and answers that several of them need."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from typer.testing import Result

from tests.rules.canned import frame, run

Invoke = Callable[..., Result]
ACCEPTED = httpx.Response(201, json=run())
FAILED = frame("end", 9, status="FAILED", error={"code": "step_error", "message": "no such file", "step": "read"})
