"""Links by which people approve and authorize: built on delivery, and stored nowhere."""

from urllib.parse import urlencode, urlsplit, urlunsplit
from uuid import UUID

from api.links.tokens import Purpose, token
from models.runtime.settings import settings


def approval_link(wait: UUID, nonce: str) -> str:
    """Return the link to a question."""
    return f"{settings().public_url}/v1/runs/approval?token={token(Purpose.APPROVAL, wait, nonce)}"


def authorization_link(wait: UUID, nonce: str, url: str | None = None) -> str:
    """Return the link that starts an authorization: ours, or another system's `url` with the wait's id and token."""
    secret = token(Purpose.AUTHORIZATION, wait, nonce)
    if url is None:
        return f"{settings().public_url}/v1/auth/{wait}/start?token={secret}"
    parts = urlsplit(url)
    ours = urlencode({"waitId": str(wait), "token": secret})
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, ours)))))


def link(kind: str, wait: UUID, nonce: str, url: str | None = None) -> dict[str, str]:
    """Return the link of a wait of this kind, under its member name in events and responses."""
    if kind == "authorization":
        return {"authUrl": authorization_link(wait, nonce, url)}
    return {"approvalUrl": approval_link(wait, nonce)}
