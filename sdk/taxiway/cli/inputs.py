"""From what somebody typed to a run's input, metadata and files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer


def read_input(document: str | None, pairs: Sequence[str]) -> dict[str, Any]:
    """Build a run's input: `--input` (JSON, `@file`, or `@-` for stdin) with the `-i key=value` pairs laid over it."""
    given: dict[str, Any] = {}
    if document is not None:
        written = text(document, "--input")
        try:
            parsed = json.loads(written)
        except ValueError as error:
            raise typer.BadParameter(f"this is not JSON: {error}", param_hint="--input") from error
        if not isinstance(parsed, dict):
            raise typer.BadParameter('must be a JSON object, such as {"path": "/srv"}', param_hint="--input")
        given.update(parsed)
    for name, typed in split(pairs):
        given[name] = value(typed)
    return given


def value(typed: str) -> Any:
    """Read a value as JSON where it is JSON (`3`, `true`, `["a"]`, `"3"`), else as the text itself."""
    try:
        return json.loads(typed, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return typed


def read_metadata(pairs: Sequence[str]) -> dict[str, str] | None:
    """Read `key=value` pairs whose values stay text; None where there are none."""
    return dict(split(pairs, "--metadata")) or None


def split(pairs: Sequence[str], option: str = "-i") -> list[tuple[str, str]]:
    """Return the keys and the texts of `key=value` pairs."""
    parts = []
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r} must look like key=value", param_hint=option)
        parts.append((name, text))
    return parts


def text(document: str, option: str) -> str:
    """Give what was typed, or what is in the file that `@file` names, or on stdin for `@-`."""
    if not document.startswith("@"):
        return document
    try:
        return sys.stdin.read() if document == "@-" else Path(document[1:]).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"cannot read {document[1:]}: {error}", param_hint=option) from error


def _no_constant(name: str) -> NoReturn:
    # NaN and Infinity are Python's, not JSON's: as an input they stay the words that were typed.
    raise ValueError(name)
