"""Writes the links under which people approve and authorize: made when something is delivered, and kept nowhere."""

from uuid import UUID

from api.people.tokens import Purpose, token
from models.settings import settings


def approval_link(wait: UUID, nonce: str) -> str:
    """Give the link to a question."""
    return f"{settings().public_url}/v1/runs/approval?token={token(Purpose.APPROVAL, wait, nonce)}"


def authorization_link(wait: UUID, nonce: str) -> str:
    """Give the link that begins an authorization."""
    return f"{settings().public_url}/v1/auth/{wait}/start?token={token(Purpose.AUTHORIZATION, wait, nonce)}"


def link(kind: str, wait: UUID, nonce: str) -> dict[str, str]:
    """Give the link of a wait of this kind, under the name that it has wherever it is delivered."""
    if kind == "authorization":
        return {"authUrl": authorization_link(wait, nonce)}
    return {"approvalUrl": approval_link(wait, nonce)}
