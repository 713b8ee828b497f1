"""Each GET with an API key waits for its turn before it takes a thread, a connection or much time of the event loop.

This is in front of all calls, so that no new one forgets it. Calls that change something never wait here. Neither do those
without a key: `/health`, `/ready` and `/metrics`, which a monitor must be able to ask always, and the links of people. A turn
ends when the answer begins: a stream, or a client that reads its answer slowly, keeps no place.
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
"""Keys that this process has not seen to be valid share the turns of one: each costs a look into the database."""


class ReadTurns:
    """Gives each call that reads its turn."""

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
    """Return whose turn it is; None of a call without a key."""
    headers = Headers(scope=scope)
    secret = headers.get("x-api-key") or headers.get("authorization", "").partition(" ")[2].strip()
    if not secret:
        return None
    caller = last_known_caller(secret)
    return CallOwner(caller.key, caller.tenant) if caller else _UNKNOWN_KEYS
