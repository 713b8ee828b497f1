"""HTTP settings and requests of both clients, for httpx. No I/O."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx

from taxiway.client.address import Address
from taxiway.client.calls import Request
from taxiway.client.errors import NotSendable

CONNECT = 5.0
# Seconds that a server may take to answer, beside the request's own `wait`.
TIMEOUT = 30.0
# Seconds for which events() and result() wait for an unreachable server: longer than a deployment takes.
PATIENCE = 300.0


def sdk_version() -> str:
    """Return the installed version of this package."""
    try:
        return version("taxiway")
    except PackageNotFoundError:
        return "0+unknown"


def settings(address: Address) -> dict[str, Any]:
    """Return the arguments of httpx.Client and httpx.AsyncClient."""
    return {
        "base_url": address.url,
        "headers": {
            "x-api-key": address.api_key,
            "accept": "application/json",
            "user-agent": f"taxiway-python/{sdk_version()}",
        },
        # A proxy from the environment cannot reach this machine's loopback.
        "trust_env": not address.is_local,
        "follow_redirects": False,
    }


def build(http: httpx.Client | httpx.AsyncClient, request: Request, timeout: float) -> httpx.Request:
    """Return the request as httpx sends it; raise NotSendable if a part of it fits into no address or header."""
    try:
        return http.build_request(**_arguments(request, timeout))
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise NotSendable(f"The request cannot be sent: {error}.") from error


def _arguments(request: Request, timeout: float) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.path,
        "params": list(request.params) or None,
        "content": request.body,
        "headers": dict(request.headers),
        "timeout": httpx.Timeout(timeout, read=timeout + request.wait, connect=min(CONNECT, timeout)),
    }
