"""After an outage of Redis, hints arrive again without any intervention."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from models.runs import public_event
from models.runtime.bus import Bus
from tests.system.api_server import ApiServer
from tests.system.fake_worker import INPUT, FakeWorker


class Cable:
    """A link to Redis that can be cut and repaired."""

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.whole = True
        self.ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.whole:
                near.close()
                continue
            far = socket.create_connection(self.target)
            self.ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    @staticmethod
    def _carry(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            source.close()
            sink.close()

    def cut(self) -> None:
        self.whole = False
        for end in self.ends:
            with suppress(OSError):  # closed by the thread that forwards
                end.shutdown(socket.SHUT_RDWR)
        self.ends = []

    def mend(self) -> None:
        self.whole = True


@pytest.fixture
def cable(servers: Any) -> Iterator[Cable]:
    parts = urlsplit(servers.broker(0))
    cable = Cable(parts.hostname or "127.0.0.1", parts.port or 6379)
    yield cable
    cable.cut()
    cable.listener.close()


def until(fact: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two polls


def test_live_messages_arrive_again_after_redis_was_away(
    servers: Any, api_database: str, fake_worker: FakeWorker, cable: Cable, tmp_path: Path
) -> None:
    through = servers.broker(0).replace(f":{urlsplit(servers.broker(0)).port}", f":{cable.port}")
    server = ApiServer(api_database, through, tmp_path / "api.log").start()
    bus = Bus(servers.broker(0)).start()
    told: list[str] = []

    def follow() -> None:
        with client.stream("GET", f"/v1/runs/{run}/sse") as response:
            told.extend(line for line in response.iter_lines() if line.startswith(("event", "id")))

    def say_until_heard(count: int) -> None:
        def heard() -> bool:
            bus.publish_event("acme", public_event.live(run, "RUNNING", "progress", {"done": 1}))
            time.sleep(0.05)  # so that the bus is not flooded while it has no subscriber
            return told.count("event: progress") >= count

        until(heard)

    try:
        with server.client(server.key("acme")) as client:
            run = client.post("/v1/runs", json={"agent": "refund", "input": INPUT}).json()["runId"]
            stream = threading.Thread(target=follow)
            stream.start()
            say_until_heard(1)
            cable.cut()
            until(lambda: client.get("/ready").json()["redis"] == "away")
            fence = fake_worker.take(run)
            until(lambda: "event: start" in told)
            cable.mend()
            until(lambda: client.get("/ready").json()["redis"] == "there")
            say_until_heard(told.count("event: progress") + 1)
            fake_worker.succeed(fence)
            stream.join(20)
            assert [line for line in told if line.startswith("id")] == ["id: 1", "id: 2", "id: 3"]
    finally:
        bus.stop()
        server.stop()
    assert "Traceback" not in server.log.read_text()
