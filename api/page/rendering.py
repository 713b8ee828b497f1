"""Rendering of pages: HTML without scripts, without requests to other servers, and never cached."""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import Response

from api.http.responses import PRIVATE
from api.page import phrases
from models.runtime.legible import isolated, legible, legible_line

_HERE = Path(__file__).parent
STYLE = (_HERE / "style.css").read_text()
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

# No script, image, font, frame or request of any kind; only this style sheet, and forms that POST to this server. Framing is
# forbidden, so no site can disguise a decision as something else.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    **PRIVATE,
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "x-robots-tag": "noindex, nofollow",
}


_JSON_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


def _shown(value: Any) -> Any:
    """Make every text that a template renders legible; as `finalize`, it cannot be forgotten."""
    return value if isinstance(value, Markup) or not isinstance(value, str) else legible(value)


def _breakable(name: str) -> Markup:
    """Allow a line break in a long name after each underscore."""
    return Markup("_<wbr>").join(legible(name).split("_"))


def _titled(text: str) -> Markup:
    """Return a text as one line without markup, for the title of the page."""
    return escape(legible_line(text))


def _sourced(text: str) -> Markup:
    """Show JSON with each string isolated, so that a value in Hebrew does not swap places with its name."""
    return escape(_JSON_TEXT.sub(lambda found: isolated(found[0]), legible(text)))


def _listed(texts: Iterable[str]) -> Markup:
    """Join texts by commas, each one isolated."""
    return Markup(", ").join(Markup("<bdi>{}</bdi>").format(legible(text)) for text in texts)


_PAGES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.filters["breakable"] = _breakable
_PAGES.filters["titled"] = _titled
_PAGES.filters["sourced"] = _sourced
_PAGES.filters["listed"] = _listed
_PAGES.filters["verbatim"] = escape  # for values that a form sends back exactly as they were typed
_PAGES.globals.update(
    style=Markup(STYLE),  # noqa: S704  our own file
    phrases=phrases,
)


class Page(Response):
    """A page for one person: never cached, framed or indexed."""

    media_type = "text/html"

    def __init__(
        self, template: str, status_code: int = 200, headers: Mapping[str, str] | None = None, **context: Any
    ) -> None:
        text = _PAGES.get_template(template).render(context)
        super().__init__(text.encode("utf-8", "replace"), status_code, {**_HEADERS, **(headers or {})})
