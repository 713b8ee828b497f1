"""Formats of JSON Schema, checked as strictly as agents read them.

Agents read with Python's own classes or with pydantic. A text passes only if these can read it.
"""

import base64
import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any, Final
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker
from pydantic_core import SchemaValidator, core_schema

_SDK_DURATION: Final = re.compile(r"-?P([0-9]+D)?(T([0-9]+H)?([0-9]+M)?([0-9]+([.][0-9]+)?S)?)?")
_EMAIL: Final = re.compile(r"[^\s@<>(),:;\\\"\[\]]{1,64}@[^\s@.<>(),:;\\\"\[\]]+([.][^\s@.<>(),:;\\\"\[\]]+)+")
_DASHES: Final = (8, 13, 18, 23)
_VERSIONS: Final = (1, 3, 4, 5, 6, 7, 8)


def _moment(text: str) -> object:
    if len(text) <= len("2026-01-02"):  # a date alone
        raise ValueError(text)
    return datetime.fromisoformat(text)


def _sdk_duration(text: str) -> object:
    """Read a duration as the SDK writes it; raises ArithmeticError if it is too long for Python."""
    found = _SDK_DURATION.fullmatch(text)
    if found is None:
        raise ValueError(text)
    days, hours, minutes = (int((found[number] or "0_")[:-1]) for number in (1, 3, 4))
    length = timedelta(days, float((found[5] or "0_")[:-1]), hours=hours, minutes=minutes)
    return -length if text.startswith("-") else length


def _uuid(text: str) -> UUID:
    if not all(text[place : place + 1] == "-" for place in _DASHES):
        raise ValueError(text)
    return UUID(text)


def _uuid_of(version: int) -> Callable[[str], object]:
    def read(text: str) -> object:
        if (found := _uuid(text)).version != version:
            raise ValueError(text)
        return found

    return read


def _email(text: str) -> object:
    if not _EMAIL.fullmatch(text):
        raise ValueError(text)
    return text


def _base64(text: str) -> object:
    return base64.b64decode(text, validate=True)


def _as_pydantic(schema: Any) -> Callable[[str], object]:
    return SchemaValidator(schema).validate_python


_READERS: Final[dict[str, Callable[[str], object]]] = {
    "date-time": _moment,
    "time": time.fromisoformat,
    "iso-duration": _sdk_duration,
    "duration": _as_pydantic(core_schema.timedelta_schema()),
    "uuid": _uuid,
    **{f"uuid{version}": _uuid_of(version) for version in _VERSIONS},
    "uri": _as_pydantic(core_schema.url_schema(strict=True)),
    "multi-host-uri": _as_pydantic(core_schema.multi_host_url_schema(strict=True)),
    "email": _email,
    "base64": _base64,
    "ipvanyaddress": ip_address,
    "ipvanyinterface": ip_interface,
    "ipvanynetwork": ip_network,
    "ipv4interface": IPv4Interface,
    "ipv6interface": IPv6Interface,
    "ipv4network": IPv4Network,
    "ipv6network": IPv6Network,
}
FORMATS: Final = FormatChecker(())
FORMATS.checkers = {**Draft202012Validator.FORMAT_CHECKER.checkers}


def _checker(read: Callable[[str], object]) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        if isinstance(value, str):
            read(value)
        return True

    return check


for _name, _reader in _READERS.items():
    FORMATS.checks(_name, raises=(ValueError, ArithmeticError))(_checker(_reader))
