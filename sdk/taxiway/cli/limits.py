"""From what somebody typed to how many, how fast and in whose favour. Nothing, or `none`, takes a limit away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from taxiway.cli.options import read_duration
from taxiway.client.options import KEEP

_NONE = ("", "none")


def read_limit(typed: str | None, option: str) -> Any:
    """Read a whole number from 1; None where it is to be taken away, KEEP where nothing was typed."""
    if typed is None:
        return KEEP
    if typed in _NONE:
        return None
    if not typed.isascii() or not typed.isdecimal() or not int(typed):
        raise typer.BadParameter("must be a whole number from 1, or none", param_hint=option)
    return int(typed)


def read_name(typed: str) -> str | None:
    """Read the name of what is to limit; None where it is to be taken away."""
    return None if typed in _NONE else typed


def read_rate(typed: str | None) -> Any:
    """Read `100/1m`: how many, in how long."""
    if typed is None or typed in _NONE:
        return KEEP if typed is None else None
    count, slash, span = typed.partition("/")
    if not slash:
        raise typer.BadParameter("must look like 100/1m: how many, in how long", param_hint="--rate")
    limit = read_limit(count or "0", "--rate")
    return {"limit": limit, "per": read_duration(span)}


def read_weights(typed: Sequence[str] | None) -> Any:
    """Read `tenant=2`, as often as it was typed; a single `none` takes all weights away."""
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
