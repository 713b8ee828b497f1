"""JSON responses. Text that is JSON already (inputs, results, step values) passes through unchanged.

Stored JSON is never decoded on its way out: agents may record deeper nesting, larger numbers and stranger characters than
Python can read back without loss.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any

from starlette.responses import Response

from api.http.problems import Problem


@dataclass(frozen=True, slots=True)
class JsonText:
    """A value that is JSON text already."""

    text: str


def as_stored(text: str | None) -> JsonText | None:
    """Wrap a stored JSON text; None stays None."""
    return None if text is None else JsonText(text)


def encode(value: Any) -> str:
    """Return a value as compact JSON; its dicts and lists may contain JsonText."""
    if isinstance(value, JsonText):
        return value.text
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None:
        return "null"
    if isinstance(value, dict):
        members = [f"{encode_basestring(key)}:{encode(item)}" for key, item in value.items()]
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join([encode(item) for item in value]) + "]"
    return json.dumps(value, ensure_ascii=False)


# Responses may contain links whose token alone authorizes: no cache may store them, no Referer header may reveal them.
# They also contain what agents wrote: no browser may render it as a page.
PRIVATE = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}


class Answer(Response):
    """A JSON response."""

    media_type = "application/json"

    def __init__(self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(content, status_code, {**PRIVATE, **(headers or {})})

    def render(self, content: Any) -> bytes:
        """Encode the content; a lone surrogate, which UTF-8 cannot hold, becomes a question mark."""
        return encode(content).encode("utf-8", "replace")


class Refusal(Answer):
    """A problem document."""

    media_type = "application/problem+json"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.document(), problem.status, problem.headers)
