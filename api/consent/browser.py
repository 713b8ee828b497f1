"""Binds an authorization to the browser that opened its link: what somebody else set out for cannot be finished there.

Each state has a cookie of its own, so authorizations in several tabs do not disturb each other. Nothing is stored here:
the cookie's value is derived from the state's random bytes by the secret key. It is HttpOnly, so scripts do not read it, and
SameSite=Lax, so it comes along when a provider sends the person back by a link, and with nothing else from another site.
"""

import hmac
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from api.consent.state import GOOD_SECONDS, State
from api.http.problems import Problem
from models.runtime.settings import settings

MOST = 10
"""Authorizations under way that one browser may have: more would let a head of cookies grow beyond what servers take."""

_NAME = "taxiway-auth-"


def remember(request: Request, response: Response, begun: State) -> None:
    """Have the browser remember that it set out; the oldest of many is forgotten."""
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
    """Raise Problem `conflict` when another browser set out with this state, or none."""
    if not hmac.compare_digest(request.cookies.get(_cookie(begun), "").encode(), _value(begun).encode()):
        detail = "This browser did not set out to authorize. Open the link again in this browser, and nothing is lost."
        raise Problem("conflict", detail)


def _cookie(begun: State) -> str:
    return f"{_prefix()}{begun.random[:8].hex()}"


def _value(begun: State) -> str:
    """Give what sorts by age and is known to this installation and that browser alone."""
    return f"{begun.until:012}.{begun.browser}"


def _prefix() -> str:
    return f"__Secure-{_NAME}" if _is_secure() else _NAME


def _is_secure() -> bool:
    return urlsplit(settings().public_url).scheme == "https"


def _path() -> str:
    return f"{urlsplit(settings().public_url).path}/v1/auth"
