"""Request bodies: one JSON object each, with limits of size and speed that apply while the body arrives."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from api.http.problems import Problem
from models.runtime.settings import settings

MAX_DEPTH = 200
_ENVELOPE_BYTES = 256 << 10
_BATCH_INPUTS = 16
GRACE_SECONDS = 10.0
MIN_BYTES_PER_SECOND = 16 << 10
"""Minimum speed of a body after the first GRACE_SECONDS."""
_CLOSE = {"connection": "close"}


def single_limit(max_input_bytes: int) -> int:
    """Return the size limit of a body with one input: escapes such as `\\u00e9` at most treble what is stored."""
    return 3 * max_input_bytes + _ENVELOPE_BYTES


def batch_limit(max_input_bytes: int) -> int:
    """Return the size limit of a batch: sixteen of the largest inputs, or many small ones."""
    return _BATCH_INPUTS * max_input_bytes + _ENVELOPE_BYTES


def small_limit(_max_input_bytes: int) -> int:
    """Return the size limit of a body without an input."""
    return _ENVELOPE_BYTES


def body_within(
    limit_for: Callable[[int], int], *, optional: bool = False, forms: bool = False
) -> Callable[[Request], Awaitable[bytes]]:
    """Return a dependency that reads a JSON body within a limit and refuses with 413 or 415 as early as possible.

    With `forms` it also reads submitted HTML forms.
    """

    async def read(request: Request) -> bytes:
        limit = limit_for(settings().max_input_bytes)
        known = _is_json(request) or (forms and is_form(request))
        if not known and not (optional and _has_no_type(request)):
            raise Problem(
                "unsupported_media_type", "Send the body as JSON, with the header content-type: application/json."
            )
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > limit:
            _too_large(limit)
        pieces, began = bytearray(), time.monotonic()
        stream = request.stream()
        try:
            while True:
                until = began + GRACE_SECONDS + len(pieces) / MIN_BYTES_PER_SECOND
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    piece = await anext(stream)
                pieces += piece
                if len(pieces) > limit:
                    _too_large(limit)
        except StopAsyncIteration:
            return bytes(pieces)
        except TimeoutError:
            raise Problem("invalid_request", "The body did not arrive in time.", headers=_CLOSE) from None
        except ClientDisconnect:
            raise Problem("invalid_request", "The connection closed before the body was complete.") from None

    return read


def _too_large(limit: int) -> NoReturn:
    raise Problem("payload_too_large", f"The body may have at most {limit:,} bytes.")


def _is_json(request: Request) -> bool:
    return _type(request) == "application/json"


def is_form(request: Request) -> bool:
    """Return whether the body is a submitted HTML form."""
    return _type(request) == "application/x-www-form-urlencoded"


def _type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _has_no_type(request: Request) -> bool:
    return "content-type" not in request.headers


def json_object(raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a body; raises Problem `invalid_json`.

    Stricter than Python's parser: UTF-8 only, no NaN or Infinity, no member twice, at most MAX_DEPTH levels.
    """
    try:
        value = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_number, object_pairs_hook=_once_each)
    except RecursionError:
        raise Problem("invalid_json", "The body is nested too deeply.") from None
    except ValueError as error:
        raise Problem("invalid_json", f"The body is not valid JSON: {_reason(error)}.") from None
    if not isinstance(value, dict):
        raise Problem("invalid_json", "The body must be a JSON object.")
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise Problem("invalid_json", f"The body is nested too deeply: {MAX_DEPTH} levels are allowed.")
    return value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


def _reason(error: ValueError) -> str:
    """Return what is wrong, without quoting the body."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if isinstance(error, _NotJson):
        return str(error)
    return "a number has too many digits"


class _NotJson(ValueError):
    """Invalid JSON that Python's parser accepts; its text quotes nothing of the body."""


def _no_number(_name: str) -> NoReturn:
    raise _NotJson("NaN and Infinity are not JSON")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _NotJson("an object has the same name twice")
    return members
