"""Reads a request's body as one JSON object, within a limit of bytes that holds while it still arrives."""

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
"""Bytes of a body that come in each second at least, once the first seconds are over."""
_CLOSE = {"connection": "close"}


def single_limit(max_input_bytes: int) -> int:
    """Bytes that a body with one input may have: escapes such as `\\u00e9` treble what is stored, no more."""
    return 3 * max_input_bytes + _ENVELOPE_BYTES


def batch_limit(max_input_bytes: int) -> int:
    """Bytes that a batch may have: room for sixteen of the largest inputs, or for many small ones."""
    return _BATCH_INPUTS * max_input_bytes + _ENVELOPE_BYTES


def small_limit(_max_input_bytes: int) -> int:
    """Bytes that a body without any input may have."""
    return _ENVELOPE_BYTES


def body_within(
    limit_for: Callable[[int], int], *, optional: bool = False, forms: bool = False
) -> Callable[[Request], Awaitable[bytes]]:
    """Make a dependency that reads a JSON body within a limit, refusing with 413 or 415 as early as it can.

    With `forms` it reads what a browser submits as well.
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
            raise Problem("invalid_request", "The body ended before it was whole.") from None

    return read


def _too_large(limit: int) -> NoReturn:
    raise Problem("payload_too_large", f"The body may have {limit:,} bytes at most.")


def _is_json(request: Request) -> bool:
    return _type(request) == "application/json"


def is_form(request: Request) -> bool:
    """Whether the body is what a browser submits."""
    return _type(request) == "application/x-www-form-urlencoded"


def _type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _has_no_type(request: Request) -> bool:
    return "content-type" not in request.headers


def json_object(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object strictly: UTF-8, no NaN or Infinity, no name twice. Raises Problem `invalid_json`."""
    try:
        value = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_number, object_pairs_hook=_once_each)
    except RecursionError:
        raise Problem("invalid_json", "The body is nested too deeply.") from None
    except ValueError as error:
        raise Problem("invalid_json", f"The body is no valid JSON: {_reason(error)}.") from None
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
    """Say what is wrong without quoting the body."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if isinstance(error, _NotJson):
        return str(error)
    return "a number has too many digits"


class _NotJson(ValueError):
    """What Python's parser would let pass; its text quotes nothing of the body."""


def _no_number(_name: str) -> NoReturn:
    raise _NotJson("NaN and Infinity are not JSON")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _NotJson("a name stands twice in one object")
    return members
