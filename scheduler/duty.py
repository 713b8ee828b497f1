"""What the leading scheduler does again and again: a duty does its work once and says when it wants to be asked again."""

from typing import Protocol

from models.runtime.database import Connection


class Duty(Protocol):
    """One kind of work, done on the very session that holds the leader's lock."""

    def step(self, connection: Connection) -> float:
        """Do the work once; give the seconds after which to do it again at the latest."""
        ...
