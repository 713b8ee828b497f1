"""What people see at the end of an authorization: one plain page, which needs no script and tells nobody where it was."""

import base64
import hashlib
import html

from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.answers import PRIVATE
from api.people.approval import wants_json
from api.problems import CODES, Problem

_STYLE = (
    "body{font:1.05rem/1.55 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1.2rem;color:#1b2430;"
    "background:#f7f8fa;overflow-wrap:anywhere}h1{font-size:1.5rem}a{color:#0b5cad}"
    "@media(prefers-color-scheme:dark){body{color:#e6e9ee;background:#14181d}a{color:#7db7f0}}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    **PRIVATE,
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


def page(title: str, text: str, status: int = 200, *, again: str | None = None) -> HTMLResponse:
    """Make a page; `again` is the link under which somebody may try once more."""
    link = f'<p><a href="{html.escape(again)}">Try again</a></p>' if again else ""
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
        f"<main><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>{link}</main></html>"
    )
    return HTMLResponse(body, status, _HEADERS)


def refused(request: Request, problem: Problem, again: str | None = None) -> HTMLResponse:
    """Show a refusal to a person; whoever asks for JSON gets the problem itself, raised."""
    if wants_json(request):
        raise problem
    return page(CODES[problem.code][1], problem.detail, problem.status, again=again)
