"""Middleware that refuses addresses no call can use, and splits paths before they are decoded."""

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.path_names import SLASH, split_before_decoding
from api.http.problems import Problem
from api.http.responses import Refusal


class RejectNul:
    """Refuses the character NUL in paths and queries: PostgreSQL can neither store nor compare it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (b"%00" in scope["query_string"] or "\0" in scope["path"]):
            refusal = Refusal(Problem("invalid_request", "The address contains the character NUL."))
            await refusal(scope, receive, send)
        elif scope["type"] == "http" and SLASH in scope["path"]:  # from here on it means an encoded slash
            refusal = Refusal(Problem("invalid_request", "The address contains U+FFFE, which is not a character."))
            await refusal(scope, receive, send)
        else:
            await self._app(split_before_decoding(scope) if scope["type"] == "http" else scope, receive, send)
