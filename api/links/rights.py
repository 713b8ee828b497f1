"""Says who may decide about a wait, and who is given its link."""

from collections.abc import Sequence
from uuid import UUID

from api.http.auth import Caller

DECIDE = "decide"


def may_decide(caller: Caller, approvers: Sequence[str] | None) -> bool:
    """Whether a key may decide: it has the scope, and one of the roles where approvers are named."""
    return DECIDE in caller.scopes and (not approvers or not caller.roles.isdisjoint(approvers))


def may_have_link(caller: Caller, approvers: Sequence[str] | None, created_by: UUID | None) -> bool:
    """Whether a key is given the link: it may decide, or it made the run and passes the link on to who may."""
    return caller.key == created_by or may_decide(caller, approvers)
