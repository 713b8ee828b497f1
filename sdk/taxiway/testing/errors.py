"""What is wrong with a test that plays an agent; each is an AssertionError, so that it reads as a failed test.

AssertionError
└─ Misplayed       `outcome` is how far the run came
   ├─ Unanswered   the run waits for somebody, and nothing that was given answers
   ├─ Unused       something was given that nothing ever waited for
   ├─ Refused      something was given that a server would refuse
   ├─ Undetermined the agent goes another way when it is replayed
   └─ Endless      the run waits again and again, and does not come to an end
"""

from __future__ import annotations

from taxiway.testing.outcome import Outcome


class Misplayed(AssertionError):
    """What was given and what the agent does are at odds."""

    outcome: Outcome


class Unanswered(Misplayed):
    """The run waits for somebody, and nothing that was given answers."""


class Unused(Misplayed):
    """Something was given that nothing ever waited for."""


class Refused(Misplayed):
    """Something was given that a server would refuse."""


class Undetermined(Misplayed):
    """The agent goes another way when it is replayed: what differs each time is in no step."""


class Endless(Misplayed):
    """The run was parked so often that it may never end."""
