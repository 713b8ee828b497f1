"""What was authorized in a played run, and the tokens that its steps get: they say what they stand for, and open nothing."""

from __future__ import annotations

from typing import Any

from taxiway.activation import Granted
from taxiway.authorizations import Grant


class Grants:
    """Stands for the server's grants, of which there are none when a run begins."""

    def __init__(self) -> None:
        self._scopes: dict[tuple[str, str], set[str]] = {}

    def give(self, request: dict[str, Any]) -> None:
        """Somebody authorized what a wait asked for."""
        self._scopes.setdefault((request["provider"], request["subject"]), set()).update(request["scopes"])

    def answer(self, want: str, grant: Grant) -> Granted:
        """Answer as a worker does; a grant that was `lost` is there no more."""
        holder = (grant.provider, grant.subject)
        if want == "lost":
            self._scopes.pop(holder, None)
        if holder not in self._scopes or not set(grant.scopes) <= self._scopes[holder]:
            return Granted(lost=True)
        token = f"token of {grant.subject} at {grant.provider}" if want == "token" else None
        return Granted(usable=True, token=token)
