"""Turns away requests whose address no call could use, and splits the others' paths, before any call looks at them."""

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
        elif scope["type"] == "http" and SLASH in scope["path"]:  # it stands for an encoded slash from here on
            refusal = Refusal(Problem("invalid_request", "The address contains U+FFFE, which is no character."))
            await refusal(scope, receive, send)
        else:
            await self._app(split_before_decoding(scope) if scope["type"] == "http" else scope, receive, send)
