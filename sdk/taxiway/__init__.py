"""Taxiway: the API for authors of durable agents, and the client, which is imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from taxiway.agents import agent
from taxiway.approvals import Decision
from taxiway.authorizations import Grant
from taxiway.children import AsyncChild, Child
from taxiway.errors import (
    ApprovalDenied,
    AuthorizationDenied,
    AuthorizationLost,
    AuthorizationUnavailable,
    Canceled,
    ChildFailed,
    Fatal,
    RetryAfter,
    StepFailed,
    TaxiwayError,
    WaitTimeout,
)
from taxiway.inside import StepInfo, cancelled, emit, log, progress, step_info
from taxiway.retry import Retry
from taxiway.run import Run
from taxiway.steps import step
from taxiway.verbs import First
from taxiway.waits import Wait

if TYPE_CHECKING:
    from taxiway.async_run import AsyncRun
    from taxiway.client import AsyncClient, AsyncRunHandle, Client, NewRun, RunCanceled, RunFailed, RunHandle

__version__ = "0.1.0"

__all__ = [
    "ApprovalDenied",
    "AsyncChild",
    "AsyncClient",
    "AsyncRun",
    "AsyncRunHandle",
    "AuthorizationDenied",
    "AuthorizationLost",
    "AuthorizationUnavailable",
    "Canceled",
    "Child",
    "ChildFailed",
    "Client",
    "Decision",
    "Fatal",
    "First",
    "Grant",
    "NewRun",
    "Retry",
    "RetryAfter",
    "Run",
    "RunCanceled",
    "RunFailed",
    "RunHandle",
    "StepFailed",
    "StepInfo",
    "TaxiwayError",
    "Wait",
    "WaitTimeout",
    "agent",
    "cancelled",
    "emit",
    "log",
    "progress",
    "step",
    "step_info",
]

# Imported on first use: an agent host needs no HTTP client, and most hosts need no asyncio.
_ON_DEMAND = {
    "AsyncRun": "taxiway.async_run",
    **dict.fromkeys(
        ("AsyncClient", "AsyncRunHandle", "Client", "NewRun", "RunCanceled", "RunFailed", "RunHandle"), "taxiway.client"
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module 'taxiway' has no attribute {name!r}")
    return getattr(import_module(_ON_DEMAND[name]), name)
