"""Values of the formats that the OpenAPI document names and JSON Schema does not know."""

from __future__ import annotations

from zoneinfo import available_timezones

import schemathesis
from hypothesis import strategies as st

from models.names import is_name

_PRINTED = st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" ")
_MINUTE = st.one_of(st.just("*"), st.integers(0, 59).map(str), st.just("*/15"), st.just("0,30"))
_HOUR = st.one_of(st.just("*"), st.integers(0, 23).map(str), st.just("8-17"))
_DAY = st.one_of(st.just("*"), st.integers(1, 28).map(str), st.just("L"))
_MONTH = st.one_of(st.just("*"), st.integers(1, 12).map(str), st.just("JAN-MAR"))
_WEEKDAY = st.one_of(st.just("*"), st.integers(0, 7).map(str), st.just("1-5"), st.just("MON#2"))
# Within the bounds of every duration: the document has the bounds of a number, but no schema expresses those of a text.
_DURATION = st.one_of(
    st.integers(1, 3600).map("PT{}S".format),
    st.integers(1, 60).map("PT{}M".format),
    st.sampled_from(["PT1H", "PT0.5H", "PT1M30.25S"]),
)


def register() -> None:
    """Register these formats with the generator."""
    printed = st.text(_PRINTED, min_size=1, max_size=128)
    schemathesis.openapi.format("name", printed.filter(is_name))
    schemathesis.openapi.format("printable", printed.filter(str.isprintable))
    schemathesis.openapi.format("cron", st.tuples(_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY).map(" ".join))
    schemathesis.openapi.format("timezone", st.sampled_from(sorted(available_timezones())))
    schemathesis.openapi.format("duration", _DURATION)
