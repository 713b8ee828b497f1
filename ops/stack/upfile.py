"""`up.env`: addresses and key of a running stack, for people, scripts and the client. A shell can source it; mode 600."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from ops.stack.secrets import write_private

NAME = "up.env"


def write(base: Path, values: Mapping[str, str]) -> None:
    """Write all values, replacing the file."""
    write_private(base / NAME, "".join(f"{name}={quoted(value)}\n" for name, value in values.items()))


def read(base: Path) -> dict[str, str]:
    """Return the values, or an empty mapping if there is no file."""
    try:
        lines = (base / NAME).read_text().splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {name: "".join(shlex.split(value)) for name, value in pairs}


def quoted(value: str) -> str:
    """Quote a value only if a shell needs it: assignments expand no `?` or `*`, and simple parsers keep working."""
    return value if not set(value) & set(" \t\"'`$&;|<>()\\#~") else shlex.quote(value)
