"""Options that take one of a few words."""

from __future__ import annotations

from typing import Any, get_args


def check_choice(option: str, given: object, literal: Any) -> None:
    """Raise ValueError, which names the option and its words, when what was given is none of those of a `Literal`."""
    words = get_args(literal)
    if given not in words:
        raise ValueError(f"{option} is one of {', '.join(words)}, not {given!r:.80}")
