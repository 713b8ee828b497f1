"""Support for tests of authorizations: a run that asks, its link, and a refusal as a program and as a person sees it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from models.authorization.grants import Holder
from models.waiting.questions import authorization
from tests.oauth import NAME, browser
from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker

EVERYTHING = ("enqueue", "read", "decide", "operate", "admin")
HOUR = 3_600_000


@contextmanager
def knowing_itself(database_url: str, redis_url: str, folder: Path, settings: dict[str, str]) -> Iterator[ApiServer]:
    """Run an API whose public address is its own, and which may call providers on loopback; it must end without a fault."""
    settings["TAXIWAY_PRIVATE_PROVIDERS"] = "true"
    server = ApiServer(database_url, redis_url, folder / "api.log", settings)
    settings["TAXIWAY_PUBLIC_URL"] = server.url
    yield server.start()
    server.stop()
    assert "api.fault" not in server.log.read_text(), server.log.read_text()[-5000:]


class Asking:
    """A run that a worker has parked for an authorization."""

    def __init__(
        self,
        http: httpx.Client,
        fake_worker: FakeWorker,
        subject: str,
        *,
        due_ms: int = HOUR,
        tenant: str = "acme",
        **more: object,
    ) -> None:
        self.http = http
        self.run = str(http.post("/v1/runs", json={"agent": "refund", "input": INPUT}).json()["runId"])
        request = {"provider": NAME, "subject": subject, "scopes": ["read:notes"], "onDeny": "fail", **more}
        self.wait = authorization("a", request, due_ms, "timeout", Holder(tenant, subject, request["provider"]))
        fake_worker.ask(self.run, self.wait)

    @property
    def link(self) -> str:
        return str(self.http.get(f"/v1/runs/{self.run}").json()["pause"]["waits"][0]["authUrl"])

    @property
    def status(self) -> str:
        return str(self.http.get(f"/v1/runs/{self.run}").json()["status"])

    def outcomes(self) -> list[str]:
        events = self.http.get(f"/v1/runs/{self.run}/events").json()["events"]
        return [event["outcome"] for event in events if "outcome" in event]


def refused(address: str, code: str, status: int) -> httpx.Response:
    """Check a refusal as a program and as a person; return the page."""
    answer = browser.get(address, headers={"accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    page = browser.get(address, headers={"accept": "text/html"})
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    for name, value in {"cache-control": "no-store", "referrer-policy": "no-referrer"}.items():
        assert page.headers[name] == value
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    return page
