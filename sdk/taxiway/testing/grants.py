"""Grants of a played family of runs, and the tokens of their steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from taxiway.authorizations import Grant
from taxiway.conversation import Granted
from taxiway.testing.given import Authorization, Given, take


@dataclass(frozen=True)
class _Stored:
    scopes: frozenset[str]
    token: str


class Grants:
    """Takes the place of the server's grants: those given while the runs are played, and those held before."""

    def __init__(self, left: list[Given]) -> None:
        self._left = left
        self._stored: dict[tuple[str, str], _Stored] = {}

    def give(self, request: dict[str, Any], given: Authorization) -> None:
        """Store the authorization of a wait; one that another system carries out is not stored."""
        if request.get("url") is None:
            self._store(Grant(request["provider"], request["subject"], tuple(request["scopes"])), given)

    def answer(self, want: str, grant: Grant) -> Granted:
        """Return the answer of a worker; `lost` removes the grant."""
        holder = (grant.provider, grant.subject)
        if want == "lost":
            self._stored.pop(holder, None)
        elif holder not in self._stored:
            self._look_for(grant)
        stored = self._stored.get(holder)
        if stored is None or not stored.scopes.issuperset(grant.scopes):
            return Granted(lost=True)
        return Granted(usable=True, token=stored.token if want == "token" else None)

    def _look_for(self, grant: Grant) -> None:
        for given in self._left:
            if isinstance(given, Authorization) and given.held and given.is_for(grant.provider, grant.subject):
                take(self._left, given)
                self._store(grant, given)
                return

    def _store(self, grant: Grant, given: Authorization) -> None:
        token = given.token or f"token of {grant.subject} at {grant.provider}"
        self._stored[grant.provider, grant.subject] = _Stored(frozenset(grant.scopes), token)
