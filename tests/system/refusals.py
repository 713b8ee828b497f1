"""The common form of every refusal of the API."""

from __future__ import annotations

from typing import Any

import httpx

from tests.system.fake_worker import INPUT

JSON = {"content-type": "application/json"}
GOOD = {"agent": "refund", "input": INPUT}


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that a request was refused with this, in the form of all refusals; return the problem document."""
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["type"] == f"urn:taxiway:problem:{code}"
    assert document["title"]
    assert document["detail"].endswith((".", "?")), document["detail"]
    return document
