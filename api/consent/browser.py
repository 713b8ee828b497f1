"""Cookie that binds an authorization to the browser that opened its link; no other browser can finish it.

Each state has its own cookie, so authorizations in several tabs do not disturb each other. The server stores nothing: the
cookie's value is derived from the state's random bytes by the secret key. HttpOnly hides it from scripts. SameSite=Lax sends
it when a provider redirects the person back, and with no other request from another site.
"""

import hmac
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from api.consent.state import GOOD_SECONDS, State
from api.http.problems import Problem
from models.runtime.settings import settings

MOST = 10
"""Concurrent authorizations per browser: with more, the cookie header would exceed the limit of web servers."""

_NAME = "taxiway-auth-"


def remember(request: Request, response: Response, begun: State) -> None:
    """Set the cookie of a new state; delete the oldest cookies if there are too many."""
    prefix = _prefix()
    known = sorted((value, name) for name, value in request.cookies.items() if name.startswith(prefix))
    for _, name in known[: max(0, len(known) - MOST + 1)]:
        response.delete_cookie(name, path=_path(), secure=_is_secure(), httponly=True, samesite="lax")
    response.set_cookie(
        _cookie(begun),
        _value(begun),
        max_age=GOOD_SECONDS,
        path=_path(),
        secure=_is_secure(),
        httponly=True,
        samesite="lax",
    )


def check_remembered(request: Request, begun: State) -> None:
    """Raise Problem `conflict` unless this browser has the cookie of the state."""
    if not hmac.compare_digest(request.cookies.get(_cookie(begun), "").encode(), _value(begun).encode()):
        detail = (
            "This authorization was not started in this browser. Open the link again in this browser; nothing is lost."
        )
        raise Problem("conflict", detail)


def _cookie(begun: State) -> str:
    return f"{_prefix()}{begun.random[:8].hex()}"


def _value(begun: State) -> str:
    """Return a value that sorts by age and is known only to this installation and that browser."""
    return f"{begun.until:012}.{begun.browser}"


def _prefix() -> str:
    return f"__Secure-{_NAME}" if _is_secure() else _NAME


def _is_secure() -> bool:
    return urlsplit(settings().public_url).scheme == "https"


def _path() -> str:
    return f"{urlsplit(settings().public_url).path}/v1/auth"
