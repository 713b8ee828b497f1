"""Identity of the giver of a grant: the only place to which its tokens are ever sent back.

A provider keeps its name when its addresses or its client change; a grant stays with the giver that it came from. While the
provider of that name is another one, or missing, the grant is not live. It is live again when the same giver is back.
"""

from dataclasses import dataclass
from typing import Any

IS_OF_NOW = """EXISTS (SELECT FROM provider AS giver WHERE giver.name = held.provider
    AND giver.token_url = held.token_url AND giver.client_id = held.client_id)"""
"""Whether a row `held` of grants was given by the provider of its name as that is configured now."""

# Another transaction changes the provider before this row is locked, or after the grant is stored: never between.
LOCK_OF_NOW = """
    SELECT name FROM provider
    WHERE name = %(provider)s AND token_url = %(token_url)s AND client_id = %(client_id)s FOR SHARE
    """


@dataclass(frozen=True, slots=True)
class Giver:
    """The client and the addresses of a provider when it gave a grant."""

    token_url: str | None
    client_id: str | None
    revocation_url: str | None

    def gave(self, grant: "Giver") -> bool:
        """Return whether this provider gave a grant that is bound to `grant`; one that is bound to nothing has no giver."""
        return self.token_url is not None and (self.token_url, self.client_id) == (grant.token_url, grant.client_id)

    def hears_of(self, grant: "Giver") -> bool:
        """Return whether a revocation of such a grant is sent to this provider: to the address of the consent, or to none."""
        return self.gave(grant) and self.revocation_url is not None and self.revocation_url == grant.revocation_url

    def params(self) -> dict[str, Any]:
        """Return the columns."""
        return {"token_url": self.token_url, "client_id": self.client_id, "revocation_url": self.revocation_url}
