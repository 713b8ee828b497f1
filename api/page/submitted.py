"""Reads what a browser submits: application/x-www-form-urlencoded, bounded in bytes and in fields."""

from urllib.parse import parse_qsl

from api.http.problems import Problem
from api.page.form_values import Given

_MOST_FIELDS = 1000


def submitted(raw: bytes) -> Given:
    """Give what came under each name; raises Problem `invalid_request`."""
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise Problem("invalid_request", "The form cannot be read.") from None
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    return given
