"""Cursors of lists: opaque to clients, and valid only for the list that issued them."""

import base64
import binascii

from api.http.problems import Problem


def write_cursor(kind: str, position: str) -> str:
    """Return the cursor of a position in a list of this kind."""
    return base64.urlsafe_b64encode(f"{kind}:{position}".encode()).decode().rstrip("=")


def read_cursor(kind: str, text: str) -> str:
    """Return the position that a cursor of this kind names; raises Problem `invalid_cursor`."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise invalid_cursor() from None
    found, _, position = decoded.partition(":")
    if found != kind or write_cursor(kind, position) != text:
        raise invalid_cursor()
    return position


def read_number(kind: str, text: str | None) -> int:
    """Return the number that a cursor names, zero without a cursor; raises Problem `invalid_cursor`."""
    digits = "0" if text is None else read_cursor(kind, text)
    # At most what PostgreSQL's integer holds.
    if not digits.isdecimal() or len(digits) > 10 or int(digits) > 2**31 - 1:
        raise invalid_cursor()
    return int(digits)


def invalid_cursor() -> Problem:
    """Return the Problem for a cursor that this list did not issue."""
    return Problem("invalid_cursor", "This call did not issue this cursor. Start without one.")
