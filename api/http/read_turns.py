"""Middleware that makes each GET with an API key wait for its turn before it takes a thread or a database connection.

It is in front of all calls, so that no new call forgets it. These never wait: calls that change something, the links of
people, and `/health`, `/ready` and `/metrics`, which a monitor must always be able to read. A turn ends when the response
starts, so a stream or a slow client holds no place.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.auth import last_known_caller
from api.http.fair_places import CallOwner
from api.http.fair_use import FairUse
from api.http.problems import Problem
from api.http.responses import Refusal

_READS = ("GET", "HEAD")
_UNKNOWN_KEYS = CallOwner("unknown", "unknown")
"""All keys that this process has not seen to be valid share one owner's turns: each costs a database lookup."""


class ReadTurns:
    """Middleware: each read waits for its turn."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        fair_use: FairUse = scope["app"].state.resources.fair_use
        if scope["method"] not in _READS:
            with fair_use.write():
                await self._app(scope, receive, send)
        elif (owner := _owner(scope)) is None:
            await self._app(scope, receive, send)
        else:
            await self._read(fair_use, owner, scope, receive, send)

    async def _read(self, fair_use: FairUse, owner: CallOwner, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            turn = await fair_use.read(owner)
        except Problem as problem:
            await Refusal(problem)(scope, receive, send)
            return

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                turn.end()
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            turn.end()


def _owner(scope: Scope) -> CallOwner | None:
    """Return the owner of a call's turn; None for a call without a key."""
    headers = Headers(scope=scope)
    secret = headers.get("x-api-key") or headers.get("authorization", "").partition(" ")[2].strip()
    if not secret:
        return None
    caller = last_known_caller(secret)
    return CallOwner(caller.key, caller.tenant) if caller else _UNKNOWN_KEYS
