"""Reading of HTTP answers: a decoded value, or the matching error. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

import httpx

from taxiway.client.calls import Answer, Call
from taxiway.client.errors import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    NotReachable,
    NotSendable,
    Problem,
    RateLimited,
    Refused,
    RunFinished,
    ServerFault,
    Unauthenticated,
    Unavailable,
)
from taxiway.client.views import RunView
from taxiway.errors import TaxiwayError

T = TypeVar("T")

_BY_STATUS: dict[int, type[Refused]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Conflict,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def read(call: Call[T], response: httpx.Response) -> T:
    """Return the answer as its call reads it, or raise the answer's error."""
    if not response.is_success:
        refuse(response)
    try:
        return call.read(Answer(response.status_code, response.headers, response.json() if response.content else None))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _not_ours(response) from error


def expect_stream(response: httpx.Response) -> None:
    """Raise unless this answer is an event stream; the body of an error must have been read before."""
    if not response.is_success:
        refuse(response)
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise _not_ours(response)


def refuse(response: httpx.Response) -> NoReturn:
    """Raise the error of an unsuccessful answer."""
    kind = _BY_STATUS.get(response.status_code)
    raw = _document(response)
    if kind is None and raw is not None and 400 <= response.status_code < 500:
        kind = Refused
    # A proxy's 502, 503 or 504 has no problem document and still means "later"; any other answer without one is a fault.
    if kind is None or (raw is None and kind is not Unavailable):
        raise _not_ours(response)
    problem = _problem(response, raw or {})
    if problem.code == "run_finished":
        kind = RunFinished
    error = kind(problem, _retry_after(response))
    run = problem.raw.get("run")
    if isinstance(error, RunFinished) and isinstance(run, Mapping) and {"runId", "status"} <= run.keys():
        error.run = RunView.read(run)
    raise error


def not_reachable(url: str, error: httpx.RequestError) -> TaxiwayError:
    """Return the error for a missing answer, or for one that cannot be decoded."""
    if isinstance(error, httpx.DecodingError):
        return ServerFault(f"The answer of {url} cannot be decoded: {error}.")
    if isinstance(error, httpx.LocalProtocolError):
        return NotSendable(f"The request cannot be sent: {error}.")
    if isinstance(error, httpx.TimeoutException):
        return NotReachable(f"The Taxiway server at {url} did not answer in time.")
    why = f" ({error})" if str(error) else ""
    return NotReachable(
        f"No Taxiway server answers at {url}{why}. Start one with `make up`, or correct TAXIWAY_URL (--url)."
    )


def _document(response: httpx.Response) -> Mapping[str, Any] | None:
    try:
        raw = json.loads(response.content)
    except ValueError:
        return None
    return raw if isinstance(raw, dict) and ("code" in raw or "title" in raw) else None


def _problem(response: httpx.Response, raw: Mapping[str, Any]) -> Problem:
    listed = raw.get("errors")
    errors = tuple(
        FieldError(str(item.get("field") or ""), str(item.get("detail") or ""))
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, Mapping)
    )
    return Problem(
        status=response.status_code,
        code=str(raw.get("code") or "unavailable"),
        title=str(raw.get("title") or response.reason_phrase),
        detail=str(raw.get("detail") or ""),
        errors=errors,
        raw=raw,
    )


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return max(0.0, float(response.headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _not_ours(response: httpx.Response) -> ServerFault:
    document = _document(response) if response.status_code >= 500 else None
    if document is not None:
        said = document.get("detail") or document.get("title") or document.get("code")
        return ServerFault(f"The server failed ({response.status_code}): {said}")
    request = response.request
    server = request.url.netloc.decode("ascii")
    kind = response.headers.get("content-type", "no content type").partition(";")[0]
    return ServerFault(
        f"{request.method} {request.url.path} at {server} answered {response.status_code} ({kind}), which is not an answer "
        "of Taxiway's API. Check the address; if it is right, the server has a fault: see its log."
    )
