"""HTTP requests of the runner; each has a result also if no server listens yet."""

from __future__ import annotations

from typing import Any

import httpx

TIMEOUT = 3.0


def answers_ok(url: str, *, api_key: str | None = None) -> bool:
    """Return whether a GET of `url` succeeds."""
    try:
        return httpx.get(url, headers=_headers(api_key), timeout=TIMEOUT).is_success
    except httpx.HTTPError:
        return False


def served(url: str, api_key: str) -> list[dict[str, Any]]:
    """Return the agents with live workers, by `GET /v1/agents`; runs of all others would wait."""
    try:
        answer = httpx.get(f"{url}/v1/agents", headers=_headers(api_key), timeout=TIMEOUT)
        agents = answer.json().get("agents", []) if answer.is_success else []
    except httpx.HTTPError:
        return []
    return [agent for agent in agents if agent["workers"]]


def slots_of(url: str, api_key: str, queue: str) -> int:
    """Return the slots offered by live workers of `queue`, by `GET /v1/capacity`."""
    try:
        answer = httpx.get(f"{url}/v1/capacity", headers=_headers(api_key), timeout=TIMEOUT)
        queues = answer.json().get("queues", []) if answer.is_success else []
    except httpx.HTTPError:
        return 0
    return sum(int(entry["slots"]) for entry in queues if entry["queue"] == queue)


def _headers(api_key: str | None) -> dict[str, str]:
    return {"x-api-key": api_key} if api_key else {}
