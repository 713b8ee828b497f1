"""The loopback provider as a process, and the person who authorizes there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from ops.provider.server import CLIENT_ID, CLIENT_SECRET
from tests.conftest import ROOT

NAME = "loopback"
browser = httpx.Client(timeout=40, trust_env=False)  # of the only person who authorizes


class Loopback:
    """A running provider."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=20, trust_env=False)

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return the body of the PUT that creates it."""
        return {
            "authorizeUrl": f"{self.url}/authorize", "tokenUrl": f"{self.url}/token", "revocationUrl": f"{self.url}/revoke",
            "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET, **more,
        }  # fmt: skip

    def conduct(self, **told: Any) -> dict[str, Any]:
        """Change its behaviour, and return what has happened so far."""
        answer = self.http.post("/desk", json=told)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def calls(self) -> dict[str, int]:
        """Count the requests that it received."""
        return dict(self.http.get("/desk").json()["calls"])

    def secrets(self) -> list[str]:
        """List every code and token that it has issued."""
        return list(self.http.get("/desk").json()["secrets"])

    def reset(self) -> None:
        """Reset its behaviour."""
        self.conduct(token_seconds=3600, refresh_tokens=True, rotate=True, withhold=[], status=0, delay=0)


@contextmanager
def loopback() -> Iterator[Loopback]:
    """Run a provider."""
    command = [sys.executable, "-m", "ops.provider", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert " at " in said, said
        provider = Loopback(said.partition(" at ")[2].partition(". ")[0])
        with provider.http:
            yield provider
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


def set_out(auth_url: str) -> str:
    """Open a link as a browser does, and return the address of the provider."""
    answer = browser.get(auth_url, headers={"accept": "text/html"})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def decide(at_provider: str, decision: str = "allow") -> str:
    """Decide at the provider, and return the address to which it redirects the person."""
    answer = httpx.post(at_provider, data={"decision": decision}, timeout=20, trust_env=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def come_back(callback: str, accept: str = "text/html") -> httpx.Response:
    """Return from the provider, with the browser that opened the link."""
    return browser.get(callback, headers={"accept": accept})


def consent(auth_url: str, decision: str = "allow") -> httpx.Response:
    """Perform the whole authorization."""
    return come_back(decide(set_out(auth_url), decision))


def params(address: str) -> dict[str, str]:
    """Return the query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
