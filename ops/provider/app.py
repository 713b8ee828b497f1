"""HTTP addresses of the loopback provider: for people, for clients, an API, and controls for tests."""

import asyncio
import html
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl

from authlib.oauth2 import OAuth2Error
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ops.provider.server import Asked, Conduct, Memory, Provider

USER = "ann"
_PAGE = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Loopback</title>
<body style="font-family: system-ui; max-width: 30rem; margin: 4rem auto; line-height: 1.5">
<h1>Loopback</h1><p>Let <b>{client}</b> act for you, with these scopes?</p><p><code>{scope}</code></p>
<form method="post"><button name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Deny</button></form>"""


class Desk:
    """Request handlers of one provider."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.provider = Provider(self.memory)

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/authorize", self.authorize, methods=["GET", "POST"]),
                Route("/token", self.token, methods=["POST"]),
                Route("/revoke", self.revoke, methods=["POST"]),
                Route("/api/{thing}", self.api),
                Route("/desk", self.desk, methods=["GET", "POST"]),
            ]
        )

    async def authorize(self, request: Request) -> Response:
        """Ask the (only) person, and redirect them back with a code or an error."""
        asked = Asked("GET", str(request.url), request.headers, dict(request.query_params))
        try:
            grant = self.provider.get_consent_grant(asked, end_user=USER)
        except OAuth2Error as error:
            return JSONResponse(dict(error.get_body()), 400)
        if request.method == "GET":
            shown = {"client": grant.client.get_client_id(), "scope": asked.payload.scope or "none"}
            return HTMLResponse(_PAGE.format(**{name: html.escape(text) for name, text in shown.items()}))
        allowed = (await _form(request)).get("decision") == "allow"
        response: Response = self.provider.create_authorization_response(
            asked, grant_user=USER if allowed else None, grant=grant
        )
        return response

    async def token(self, request: Request) -> Response:
        """Return tokens."""
        conduct = self.memory.conduct
        await asyncio.sleep(conduct.delay)
        if conduct.status:
            return Response("out of order", conduct.status)
        response: Response = self.provider.create_token_response(await _asked(request))
        return response

    async def revoke(self, request: Request) -> Response:
        """Revoke a token."""
        response: Response = self.provider.create_endpoint_response("revocation", await _asked(request))
        return response

    async def api(self, request: Request) -> Response:
        """Return a thing for a token with the scope `read:THING`."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        issued = self.memory.by_access(token) if kind.lower() == "bearer" else None
        thing = request.path_params["thing"]
        if issued is None or not issued.valid:
            return JSONResponse({"error": "invalid_token"}, 401)
        if f"read:{thing}" not in issued.scope.split():
            return JSONResponse({"error": "insufficient_scope"}, 403)
        return JSONResponse({"user": issued.user, thing: [f"{thing} 1", f"{thing} 2"]})

    async def desk(self, request: Request) -> Response:
        """Return the log; POST changes the provider's conduct, or revokes all tokens (`{"revoke": true}`)."""
        if request.method == "POST":
            told: dict[str, Any] = await request.json()
            if told.pop("revoke", False):
                for issued in self.memory.tokens:
                    issued.revoked = True
            self.memory.conduct = Conduct(**{**asdict(self.memory.conduct), **told})
        return JSONResponse({"calls": self.memory.calls, "secrets": self.memory.secrets})


async def _asked(request: Request) -> Asked:
    return Asked("POST", str(request.url), request.headers, await _form(request))


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))
