"""Errors of a test that plays an agent; each is an AssertionError, so that the test fails.

AssertionError
└─ Misplayed       `outcome` is the run up to the error
   ├─ Unanswered   the run waits, and nothing given answers
   ├─ Unused       something was given that no wait took
   ├─ Refused      something was given that a server would refuse
   ├─ Undetermined the agent takes another path when it is replayed
   └─ Endless      the run waits again and again, and does not end
"""

from __future__ import annotations

from taxiway.testing.outcome import Outcome


class Misplayed(AssertionError):
    """What was given does not match what the agent does."""

    outcome: Outcome


class Unanswered(Misplayed):
    """The run waits, and nothing given answers."""


class Unused(Misplayed):
    """Something was given that no wait took."""


class Refused(Misplayed):
    """Something was given that a server would refuse."""


class Undetermined(Misplayed):
    """The agent takes another path when it is replayed: something that differs each time is outside of its steps."""


class Endless(Misplayed):
    """The run was parked so often that it may never end."""
