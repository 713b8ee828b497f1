"""Parsing of limits, rates and weights; an empty argument or `none` removes one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from taxiway.cli.options import read_duration
from taxiway.client.options import KEEP

_NONE = ("", "none")


def read_limit(typed: str | None, option: str) -> Any:
    """Return a whole number from 1; None to remove the limit, KEEP without an argument."""
    if typed is None:
        return KEEP
    if typed in _NONE:
        return None
    if not typed.isascii() or not typed.isdecimal() or not int(typed):
        raise typer.BadParameter("must be a whole number from 1, or none", param_hint=option)
    return int(typed)


def read_name(typed: str) -> str | None:
    """Return the name of a window; None to remove it."""
    return None if typed in _NONE else typed


def read_rate(typed: str | None) -> Any:
    """Return the rate of `100/1m`: a number of starts, and their span."""
    if typed is None or typed in _NONE:
        return KEEP if typed is None else None
    count, slash, span = typed.partition("/")
    if not slash:
        raise typer.BadParameter("must look like 100/1m: a number and a duration", param_hint="--rate")
    limit = read_limit(count or "0", "--rate")
    return {"limit": limit, "per": read_duration(span)}


def read_weights(typed: Sequence[str] | None) -> Any:
    """Return the weights of all `tenant=2`; a single `none` removes all weights."""
    if not typed:
        return KEEP
    if len(typed) == 1 and typed[0] in _NONE:
        return None
    return dict(map(_weight, typed))


def _weight(typed: str) -> tuple[str, float]:
    tenant, _, number = typed.rpartition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = 0.0
    if not tenant or not 0 < weight < float("inf"):
        raise typer.BadParameter(f"{typed!r} must look like tenant=2", param_hint="--weight")
    return tenant, weight
