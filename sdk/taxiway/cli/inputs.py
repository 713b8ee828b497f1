"""Parsing of arguments into a run's input, metadata and files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import typer


def read_input(document: str | None, pairs: Sequence[str]) -> dict[str, Any]:
    """Return a run's input: `--input` (JSON, `@file`, or `@-` for stdin), overridden by the `-i key=value` pairs."""
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
    """Return a value read as JSON if it is JSON (`3`, `true`, `["a"]`, `"3"`), otherwise the text."""
    try:
        return json.loads(typed, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return typed


def read_metadata(pairs: Sequence[str]) -> dict[str, str] | None:
    """Return `key=value` pairs whose values stay text; None without pairs."""
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
    """Return the argument, or the content of its `@file`, or stdin for `@-`."""
    if not document.startswith("@"):
        return document
    try:
        return sys.stdin.read() if document == "@-" else Path(document[1:]).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"cannot read {document[1:]}: {error}", param_hint=option) from error


def _no_constant(name: str) -> NoReturn:
    # NaN and Infinity belong to Python, not to JSON: as an input they stay text.
    raise ValueError(name)
