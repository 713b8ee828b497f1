"""Writes and reads cursors: opaque to clients, and refused by any list but the one that issued them."""

import base64
import binascii

from api.http.problems import Problem


def cursor(kind: str, place: str) -> str:
    """Name a place in a list of this kind."""
    return base64.urlsafe_b64encode(f"{kind}:{place}".encode()).decode().rstrip("=")


def place(kind: str, text: str) -> str:
    """Read a cursor of this kind; raises Problem `invalid_cursor`."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise invalid_cursor() from None
    found, _, where = decoded.partition(":")
    if found != kind or cursor(kind, where) != text:
        raise invalid_cursor()
    return where


def number(kind: str, text: str | None) -> int:
    """Read a cursor that names a number; zero where there is none yet."""
    where = "0" if text is None else place(kind, text)
    # At most what PostgreSQL's integer holds.
    if not where.isdecimal() or len(where) > 10 or int(where) > 2**31 - 1:
        raise invalid_cursor()
    return int(where)


def invalid_cursor() -> Problem:
    """Say that a cursor is none of this list's."""
    return Problem("invalid_cursor", "This cursor was not issued by this call. Start without one.")
