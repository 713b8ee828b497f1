"""Rights on a wait: which keys may decide, and which get its link."""

from collections.abc import Sequence
from uuid import UUID

from api.http.auth import Caller

DECIDE = "decide"


def may_decide(caller: Caller, approvers: Sequence[str] | None) -> bool:
    """Return whether a key may decide: it has the scope, and one of the approvers' roles if some are named."""
    return DECIDE in caller.scopes and (not approvers or not caller.roles.isdisjoint(approvers))


def may_have_link(caller: Caller, approvers: Sequence[str] | None, created_by: UUID | None) -> bool:
    """Return whether a key gets the link: it may decide, or it created the run and passes the link on."""
    return caller.key == created_by or may_decide(caller, approvers)
