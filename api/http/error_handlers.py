"""Error handlers: every error of a call is answered with a problem document.

The broad `except` of all calls is here (the loop that feeds streams has its own). It logs where a fault happened, never the
exception's text: database and validation errors quote the data that caused them, and no payload may reach a log.
"""

import re
import traceback
from collections.abc import Callable, Sequence

import psycopg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy import exc
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.parsing import plain_message
from api.http.problems import FieldError, Problem
from api.http.responses import Refusal
from api.http.write_access import explain_refusal, write_access
from models.errors import DatabaseAway
from models.runtime.facts import fact

_RETRY_SOON = {"retry-after": "2"}
_REFUSAL = "taxiway.refusal"
_PARAMETER = re.compile(r"{\w+}")
_NOT_YET = re.compile(r"/v1/(webhooks.*|deliveries.*)")

# TimeoutError of SQLAlchemy: no connection of the pool became free.
_UNREACHABLE = (
    DatabaseAway, psycopg.OperationalError, psycopg.InterfaceError, exc.OperationalError, exc.InterfaceError, exc.TimeoutError,
)  # fmt: skip


def _is_unreachable(error: BaseException) -> bool:
    """Return whether PostgreSQL is unreachable or has no connection left; any other error is a fault of ours."""
    return isinstance(error, _UNREACHABLE)


def refuse_with(request: Request, refusal: Callable[[Problem], Response]) -> None:
    """Answer the errors of this call in another form: people see a page instead of JSON."""
    request.scope[_REFUSAL] = refusal


def _refused(scope: Scope, problem: Problem) -> Response:
    refusal: Callable[[Problem], Response] = scope.get(_REFUSAL, Refusal)
    return refusal(problem)


def _has_no_tables(error: BaseException) -> bool:
    return isinstance(getattr(error, "orig", error), psycopg.errors.UndefinedTable)


def _is_timeout(error: BaseException) -> bool:
    """Return whether the database cancelled a read after `TAXIWAY_READ_TIMEOUT`; writes have no such limit."""
    return isinstance(getattr(error, "orig", error), psycopg.errors.QueryCanceled)


def _read_timed_out() -> Problem:
    detail = (
        "This read took too long and the database cancelled it. Narrow it, for example by createdAfter, status or a smaller "
        "limit. If the load was momentary, try again soon."
    )
    return Problem("unavailable", detail, headers=_RETRY_SOON)


def _unavailable(detail: str | None = None) -> Problem:
    detail = detail or "The database cannot be reached now. Nothing was changed; try again soon."
    return Problem("unavailable", detail, headers=_RETRY_SOON)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _refused(request.scope, error)


async def _on_http_error(request: Request, error: Exception) -> Refusal:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 405:
        allow = ", ".join(_methods_at(request))
        return Refusal(Problem("method_not_allowed", f"This address takes only {allow}.", headers={"allow": allow}))
    if error.status_code == 404 and _NOT_YET.fullmatch(path):
        return Refusal(Problem("not_found", "This call is not available in this version."))
    if error.status_code == 404:
        return Refusal(Problem("not_found", "There is nothing at this address. /openapi.json lists all calls."))
    return Refusal(Problem("invalid_request", "The request cannot be read."))


def _methods_at(request: Request) -> list[str]:
    """Return every method of this address; the router's own error names only those of the first matching route."""
    calls = request.app.openapi()["paths"].items()
    here = [(place, names) for place, names in calls if re.fullmatch(_PARAMETER.sub("[^/]+", place), request.url.path)]
    # `/v1/runs/batch` also matches `/v1/runs/{runId}`: the address with the fewest parameters is meant.
    _, names = min(here, key=lambda call: len(_PARAMETER.findall(call[0])), default=("", {}))
    return sorted(name.upper() for name in names) or ["GET", "HEAD"]  # pages are not in the OpenAPI document


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [FieldError(_field(item["loc"]), plain_message(item["msg"])) for item in error.errors()]
    named = "; ".join(f"{item.field} {item.detail}" for item in errors)
    return _refused(request.scope, Problem("invalid_request", f"{named}.", errors))


def _field(place: Sequence[int | str]) -> str:
    """Return the parameter's name: it follows its location, and precedes the index of a repeatable value."""
    names = [part for part in place[1:] if isinstance(part, str)]
    return names[0] if names else str(place[-1])


class UnhandledErrors:
    """Outermost layer: an unexpected exception becomes a 503 or 500, and a fact without the exception's text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def note(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, note)
        except Exception as error:  # noqa: BLE001  the one place that may: see the top of this file
            problem = self._state(error)
            if not started:
                await _refused(scope, problem)(scope, receive, send)

    @staticmethod
    def _state(error: Exception) -> Problem:
        if _has_no_tables(error):
            return Problem("unavailable", "The database has no tables yet: run `alembic upgrade head`.")
        if _is_timeout(error):
            fact("read.given_up", level="warning")
            return _read_timed_out()
        if (detail := explain_refusal(error)) is not None:
            write_access.failed(error)
            fact("database.refuses", level="error", error=type(error).__name__, detail=detail)
            return _unavailable(detail)
        if _is_unreachable(error):
            fact("database.away", level="warning", error=type(error).__name__)
            return _unavailable()
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        where = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))
        fact("api.fault", level="error", error=type(error).__name__, where=where)
        return Problem("internal", "The server failed. Its log says where.")


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of the application with a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_middleware(UnhandledErrors)
