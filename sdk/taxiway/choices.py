"""Check of options that take one of a few words."""

from __future__ import annotations

from typing import Any, get_args


def check_choice(option: str, given: object, literal: Any) -> None:
    """Raise ValueError if the given value is not one of the words of a `Literal`; it names the option and its words."""
    words = get_args(literal)
    if given not in words:
        raise ValueError(f"{option} is one of {', '.join(words)}, not {given!r:.80}")
