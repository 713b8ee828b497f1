"""Client of a Taxiway server: enqueues, follows, reads and cancels runs, and decides their questions."""

from taxiway.client.aio import AsyncClient
from taxiway.client.aio_run_handle import AsyncRunHandle
from taxiway.client.bulk import BulkView
from taxiway.client.calls import Accepted, NewRun
from taxiway.client.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NoOneQuestion,
    NotConfigured,
    NotFinished,
    NotFound,
    NotReachable,
    NotSendable,
    Problem,
    RateLimited,
    Refused,
    RunCanceled,
    RunFailed,
    RunFinished,
    ServerFault,
    Unauthenticated,
    Unavailable,
)
from taxiway.client.explaining import BlockerView, Explanation
from taxiway.client.people import ApprovalView, OutcomeView
from taxiway.client.run_handle import RunHandle
from taxiway.client.sync import Client
from taxiway.client.views import Event, LogLine, RunError, RunView, StepView
from taxiway.errors import TaxiwayError

__all__ = [
    "Accepted",
    "ApprovalView",
    "AsyncClient",
    "AsyncRunHandle",
    "BlockerView",
    "BulkView",
    "Client",
    "Conflict",
    "Event",
    "Explanation",
    "FieldError",
    "Forbidden",
    "Invalid",
    "LogLine",
    "NewRun",
    "NoOneQuestion",
    "NotConfigured",
    "NotFinished",
    "NotFound",
    "NotReachable",
    "NotSendable",
    "OutcomeView",
    "Problem",
    "RateLimited",
    "Refused",
    "RunCanceled",
    "RunError",
    "RunFailed",
    "RunFinished",
    "RunHandle",
    "RunView",
    "ServerFault",
    "StepView",
    "TaxiwayError",
    "Unauthenticated",
    "Unavailable",
]
