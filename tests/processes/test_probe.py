"""A process without HTTP reports its health on its own port."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from models.runtime.probe import Probe
from models.runtime.settings import Settings


@pytest.fixture
def found() -> dict[str, bool]:
    return {"leads": True}


@pytest.fixture
def client(found: dict[str, bool]) -> Iterator[httpx.Client]:
    probe = Probe(Settings(ops_port=0), dict, lambda: found)
    probe.start()
    assert probe._server is not None
    with httpx.Client(base_url=f"http://127.0.0.1:{probe._server.server_port}", trust_env=False) as opened:
        yield opened
    probe.stop()


def test_health_and_ready_say_what_was_found(client: httpx.Client, found: dict[str, bool]) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready?x=1").json() == {"status": "ok", "leads": True}
    found["leads"] = False
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "leads": False})
    assert client.get("/other").status_code == 404


def test_metrics_are_those_of_the_process(client: httpx.Client) -> None:
    answer = client.get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert "process_resident_memory_bytes" in answer.text
