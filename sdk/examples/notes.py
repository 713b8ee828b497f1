"""Notes of a user: an agent that acts for a person, with an authorization that it asks for once.

It never holds a token. It holds a grant, which it passes to steps like any value; the step that calls the API gets a valid
token when it needs one. If the API no longer accepts the token, the grant is lost: the person is asked again, and the step
is repeated.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import taxiway
from taxiway import Grant, Retry, Run, agent, step

REFUSED = (401, 403)


@step(retry=Retry(attempts=4, initial="1s"), timeout="30s")
def fetch_notes(grant: Grant, api: str) -> list[str]:
    """Fetch the notes of the user who gave the grant."""
    request = urllib.request.Request(f"{api}/notes", headers={"authorization": f"Bearer {grant.token()}"})  # noqa: S310 - as below
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - the address is an input of the run
            body: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code in REFUSED:
            raise taxiway.AuthorizationLost(grant) from None
        raise
    return list(body["notes"])


@agent(timeout="10m")
def notes(run: Run, api: str = "http://127.0.0.1:8765/api", provider: str = "loopback") -> dict[str, Any]:
    """Collect the notes of the user for whom the run was enqueued."""
    grant = run.authorize(
        provider, scopes=["read:notes"]
    )  # AUTH_REQUIRED, holds nothing, until the user has authorized
    found = run.step(fetch_notes, grant, api)
    return {"user": grant.subject, "notes": found, "characters": sum(map(len, found))}
