"""Messages for agent code that does not match the run's records: the call, both arguments, file and line."""

from __future__ import annotations

from typing import Final

from taxiway.callers import caller, place_of
from taxiway.ledger import Call, Ledger, Recorded
from taxiway.waits import Wish

_ALIKE: Final = "; the two differ in a part that is not shown here"
_WHY: Final = "the agent's code has changed under the run, or is not deterministic"


def skipped(new: str, ledger: Ledger) -> str:
    """Return the message for something new (`new`) while records are unused."""
    steps = [f"{record.name!r}({record.arguments})" for record in ledger.unmatched()]
    left = steps + ledger.unmatched_waits()
    names = ", ".join(left[:10]) + (" …" if len(left) > 10 else "")
    alike = _ALIKE if any(step in new for step in steps) else ""
    return f"{_WHY}: at {place_of(caller())} it would {new} while recorded {names} are unused{alike}"


def other_arguments(call: Call, past: Recorded) -> str:
    """Return the message for a call that was recorded with other arguments."""
    return (
        f"{_WHY}: at {place_of(caller())} step {call.name!r} is called with {given(call.digest)}, "
        f"it was recorded with ({past.arguments}) under the key {call.key}"
        + (_ALIKE if f"({past.arguments})" == given(call.digest) else "")
    )


def other_wait(wish: Wish, recorded: str, ledger: Ledger) -> str:
    """Return the message for a place at which the run waited for something else; `recorded` is the key of that wait."""
    return (
        f"{_WHY}: at {place_of(caller())} it would wait for {wish.kind} {wish.title!r}, "
        f"it has waited there for {ledger.shown_wait(recorded)} before"
    )


def given(digest: str) -> str:
    """Return the arguments that a digest shows to people, in parentheses."""
    return f"({digest.partition(' ')[2]})"
