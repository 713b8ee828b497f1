"""Writes and reads cursors: opaque to clients, and refused by any list but the one that issued them."""

import base64
import binascii

from api.http.problems import Problem


def write_cursor(kind: str, position: str) -> str:
    """Name a place in a list of this kind."""
    return base64.urlsafe_b64encode(f"{kind}:{position}".encode()).decode().rstrip("=")


def read_cursor(kind: str, text: str) -> str:
    """Read a cursor of this kind; raises Problem `invalid_cursor`."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise invalid_cursor() from None
    found, _, position = decoded.partition(":")
    if found != kind or write_cursor(kind, position) != text:
        raise invalid_cursor()
    return position


def read_number(kind: str, text: str | None) -> int:
    """Read a cursor that names a number; zero where there is none yet."""
    digits = "0" if text is None else read_cursor(kind, text)
    # At most what PostgreSQL's integer holds.
    if not digits.isdecimal() or len(digits) > 10 or int(digits) > 2**31 - 1:
        raise invalid_cursor()
    return int(digits)


def invalid_cursor() -> Problem:
    """Say that a cursor is none of this list's."""
    return Problem("invalid_cursor", "This cursor was not issued by this call. Start without one.")
