"""How both clients speak HTTP: the httpx settings and requests that they share. No I/O."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import httpx

from taxiway.client.address import Address
from taxiway.client.calls import Request
from taxiway.client.errors import NotSendable

CONNECT = 5.0
# How long past its own `wait` a server may take to send an answer.
TIMEOUT = 30.0
# How long events() and result() go on while the server is away: longer than a deployment, shorter than a lunch break.
PATIENCE = 300.0


def sdk_version() -> str:
    """The installed version of this package."""
    try:
        return version("taxiway")
    except PackageNotFoundError:
        return "0+unknown"


def settings(address: Address) -> dict[str, Any]:
    """The arguments that httpx.Client and httpx.AsyncClient are made with."""
    return {
        "base_url": address.url,
        "headers": {
            "x-api-key": address.api_key,
            "accept": "application/json",
            "user-agent": f"taxiway-python/{sdk_version()}",
        },
        # A proxy of the environment is for the world outside: it cannot reach this machine's loopback.
        "trust_env": not address.is_local,
        "follow_redirects": False,
    }


def build(http: httpx.Client | httpx.AsyncClient, request: Request, timeout: float) -> httpx.Request:
    """The request as httpx sends it; raises NotSendable where a part of it fits into no address and no header."""
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
