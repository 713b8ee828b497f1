"""A stream delivers every stored event once, in order, whatever happens to clients and hints."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from models.runs import public_event
from models.runtime.bus import Bus
from models.stored_event import StoredEvent
from ops.ports import free_port
from tests.system.api_server import ApiServer
from tests.system.fake_worker import FakeWorker
from tests.system.following import POLL, Frame, enqueue, follow, followed, frames


@pytest.fixture
def finished(acme: httpx.Client, fake_worker: FakeWorker) -> str:
    run = enqueue(acme)
    fence = fake_worker.take(run)
    fake_worker.step(fence, "one")
    fake_worker.event(fence, '{"type": "note", "text": "ä\\nb"}')
    fake_worker.succeed(fence, '{"sum": 3}')
    return run


def test_a_finished_run_is_told_from_its_beginning(acme: httpx.Client, finished: str) -> None:
    told = follow(acme, finished)
    assert [(frame["id"], frame["event"]) for frame in told] == [
        ("1", "status"), ("2", "start"), ("3", "step"), ("4", "agent"), ("5", "end"),
    ]  # fmt: skip
    for frame in told:
        assert frame.json["runId"] == finished
        assert frame.json["timestamp"].endswith("Z")
    assert [frame.json["runStatus"] for frame in told] == ["QUEUED", "RUNNING", "RUNNING", "RUNNING", "SUCCESS"]
    assert told[3].json["text"] == "ä\nb"
    assert told[4].json["result"] == {"sum": 3}
    stored = acme.get(f"/v1/runs/{finished}/events").json()["events"]
    assert [{key: value for key, value in frame.json.items() if key != "result"} for frame in told] == stored


def test_a_stream_goes_on_after_the_last_id(acme: httpx.Client, finished: str) -> None:
    assert [frame["id"] for frame in follow(acme, finished, last="3")] == ["4", "5"]
    assert [frame["id"] for frame in follow(acme, finished, lastEventId="4")] == ["5"]
    assert [frame["id"] for frame in follow(acme, finished, last="4", lastEventId="1")] == ["5"]
    assert follow(acme, finished, last="5") == []


def test_a_large_result_is_left_out_of_the_end(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    for size, omitted in ((65_534, False), (65_535, True)):
        run = enqueue(acme)
        fake_worker.succeed(fake_worker.take(run), json.dumps("x" * size))
        end = follow(acme, run)[-1].json
        assert ("resultOmitted" in end, "result" in end) == (omitted, not omitted)


def test_the_end_of_a_failed_run_carries_its_error(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run = enqueue(acme)
    fake_worker.fail(fake_worker.take(run))
    end = follow(acme, run)[-1].json
    assert (end["status"], end["reason"], end["error"]["code"]) == ("FAILED", "step_error", "step_error")
    assert "result" not in end


@pytest.fixture
def bus(api: ApiServer) -> Iterator[Bus]:
    bus = Bus(api.redis_url).start()
    yield bus
    bus.stop()


def test_live_messages_come_between_without_an_id(acme: httpx.Client, fake_worker: FakeWorker, bus: Bus) -> None:
    run = enqueue(acme)
    fence = fake_worker.take(run)
    with followed(acme, run) as told:
        until(lambda: len(told) == 2)
        bus.publish_event(
            "acme",
            public_event.live(run, "RUNNING", "progress", {"done": 1, "total": 2, "step": None, "attempt": None}),
        )
        until(lambda: len(told) == 3)
        fake_worker.succeed(fence)
    assert [(frame.get("id"), frame["event"]) for frame in told] == [
        ("1", "status"), ("2", "start"), (None, "progress"), ("3", "end"),
    ]  # fmt: skip
    assert told[2].json["done"] == 1


def until(fact: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two polls


def test_a_hint_brings_an_event_at_once(acme: httpx.Client, fake_worker: FakeWorker, bus: Bus) -> None:
    run = enqueue(acme)
    fence = fake_worker.take(run)
    delays = []
    with followed(acme, run) as told:
        until(lambda: len(told) == 2)
        for n in range(5):
            fake_worker.step(fence, f"s{n}")
            row = fake_worker.connection.execute(
                "SELECT * FROM event WHERE run_id = %s ORDER BY seq DESC LIMIT 1", [run]
            ).fetchone()
            began = time.monotonic()
            bus.publish_event("acme", public_event.public(StoredEvent(**row)))
            until(lambda n=n: len(told) == 3 + n)
            delays.append(time.monotonic() - began)
        fake_worker.succeed(fence)
    # The poll alone would take a second in the middle.
    assert sorted(delays)[2] < 0.5


def test_nonsense_on_the_bus_harms_no_stream(acme: httpx.Client, fake_worker: FakeWorker, bus: Bus) -> None:
    run = enqueue(acme)
    fence = fake_worker.take(run)
    with followed(acme, run) as told:
        for text in (
            "",
            "x",
            "[]",
            "{}",
            '{"seq": "x", "event": "end"}',
            '{"seq": 99, "event": "end"}',
            "[" * 9000,
            '{"event": "\\ud800"}',
        ):
            bus.wake_up(f"taxiway:run:{run}", text)
        fake_worker.succeed(fence)
    assert [frame["id"] for frame in told if "id" in frame] == ["1", "2", "3"]


def test_data_that_is_no_object_harms_no_stream(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run = enqueue(acme)
    fence = fake_worker.take(run)
    with followed(acme, run) as told:
        for data in ("[1]", "7", '"x"', '{"seq": 99, "event": "end", "type": "x"}'):
            fake_worker.event(fence, data)
        fake_worker.succeed(fence)
    assert [(frame["id"], frame["event"]) for frame in told[2:]] == [
        *((str(n), "agent") for n in range(3, 7)),
        ("7", "end"),
    ]
    assert acme.get(f"/v1/runs/{run}/events").json()["events"][5]["event"] == "agent"


STEPS = 120


def test_twenty_clients_that_come_and_go_see_every_event_once_in_order(
    api: ApiServer, acme: httpx.Client, bus: Bus
) -> None:
    """Five runs, four clients each; half of the hints are lost and the rest come in any order."""
    runs = [enqueue(acme) for _ in range(5)]
    writer = threading.Thread(target=write_events, args=(api.database_url, runs, bus))
    writer.start()
    try:
        seen = asyncio.run(asyncio.wait_for(come_and_go(api.url, acme.headers["x-api-key"], runs * 4), 60))
    finally:
        writer.join(60)
    for told in seen:
        assert [int(frame["id"]) for frame in told] == list(range(1, STEPS + 4))
        assert [frame["event"] for frame in told] == ["status", "start", *["step"] * STEPS, "end"]


def write_events(url: str, runs: list[str], bus: Bus) -> None:
    chance = random.Random(7)
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        hands = [FakeWorker(connection) for _ in runs]
        fences = [fake_worker.take(run) for fake_worker, run in zip(hands, runs, strict=True)]
        for n in range(STEPS):
            hints = []
            for fake_worker, fence in zip(hands, fences, strict=True):
                fake_worker.step(fence, f"s{n}")
                wanted = "SELECT * FROM event WHERE run_id = %s ORDER BY seq DESC LIMIT 1"
                hints.append(public_event.public(StoredEvent(**connection.execute(wanted, [fence.run]).fetchone())))
            for hint in chance.sample(hints, len(hints) // 2):
                bus.publish_event("acme", hint)
            time.sleep(0.01)  # so that the clients see the run while it executes
        for fake_worker, fence in zip(hands, fences, strict=True):
            fake_worker.succeed(fence)


async def come_and_go(url: str, key: str, runs: list[str]) -> list[list[Frame]]:
    async with httpx.AsyncClient(base_url=url, headers={"x-api-key": key}, timeout=30, trust_env=False) as client:
        return await asyncio.gather(*(follow_restlessly(client, run, n) for n, run in enumerate(runs)))


async def follow_restlessly(client: httpx.AsyncClient, run: str, seed: int) -> list[Frame]:
    chance = random.Random(seed)
    told: list[Frame] = []
    while not told or told[-1]["event"] != "end":
        headers = {"last-event-id": told[-1]["id"]} if told else {}
        stay = chance.randrange(1, 30)
        async with client.stream("GET", f"/v1/runs/{run}/sse", headers=headers) as response:
            assert response.status_code == 200
            frame = Frame()
            async for line in response.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    frame[name] = value
                    continue
                told.append(frame)
                frame = Frame()
                stay -= 1
                if stay == 0:
                    break
        await asyncio.sleep(chance.random() * 0.05)  # away for a moment
    return told


def test_streams_hold_no_database_connection(api: ApiServer, acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run = enqueue(acme)
    fence = fake_worker.take(run)

    async def open_many() -> int:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=api.url, headers=acme.headers, timeout=30, trust_env=False, limits=limits
        ) as client:
            requests = [client.build_request("GET", f"/v1/runs/{run}/sse") for _ in range(60)]
            responses = await asyncio.gather(*(client.send(request, stream=True) for request in requests))
            with api.connect() as connection:
                row = connection.execute(
                    "SELECT count(*) AS n FROM pg_stat_activity "
                    "WHERE datname = current_database() AND application_name LIKE 'taxiway%'"
                ).fetchone()
            fake_worker.succeed(fence)
            await asyncio.gather(*(response.aread() for response in responses))
            assert all(b"event: end" in response.content for response in responses)
            assert row is not None
            return int(row["n"])

    assert asyncio.run(open_many()) <= 10


def test_a_client_that_stops_reading_misses_nothing(acme: httpx.Client, fake_worker: FakeWorker) -> None:
    run = enqueue(acme)
    fence = fake_worker.take(run)
    filler = json.dumps({"type": "x", "text": "y" * 20_000})
    with acme.stream("GET", f"/v1/runs/{run}/sse") as response:
        for _ in range(400):
            fake_worker.event(fence, filler)
        fake_worker.succeed(fence)
        assert [int(frame["id"]) for frame in frames(response)] == list(range(1, 404))


def test_a_cancel_ends_waits_and_streams_at_once(acme: httpx.Client) -> None:
    run = enqueue(acme)
    with followed(acme, run) as told:
        acme.delete(f"/v1/runs/{run}")
        began = time.monotonic()
    assert told[-1].json["status"] == "CANCELED"
    assert time.monotonic() - began < POLL


def test_without_redis_the_poll_completes_a_stream(
    servers: Any, api_database: str, fake_worker: FakeWorker, tmp_path: Path
) -> None:
    server = ApiServer(api_database, f"redis://127.0.0.1:{free_port()}/0", tmp_path / "api.log").start()
    try:
        with server.client(server.key("acme")) as client:
            assert client.get("/ready").json() == {"status": "ready", "database": "there", "redis": "away"}
            run = enqueue(client)
            with followed(client, run) as told:
                fence = fake_worker.take(run)
                for n in range(10):
                    fake_worker.step(fence, f"s{n}")
                fake_worker.succeed(fence)
            assert [frame["id"] for frame in told] == [str(n) for n in range(1, 14)]
    finally:
        server.stop()
    assert "redis.away" in server.log.read_text()


def test_open_streams_and_waits_do_not_hold_up_a_stop(
    servers: Any, api_database: str, fake_worker: FakeWorker, tmp_path: Path
) -> None:
    server = ApiServer(api_database, servers.broker(0), tmp_path / "api.log").start()
    with server.client(server.key("acme")) as client:
        run = enqueue(client)
        with followed(client, run) as told:
            waiting = threading.Thread(target=client.get, args=(f"/v1/runs/{run}/wait",))
            waiting.start()
            time.sleep(0.3)  # the wait is a request like any other: nothing shows from outside that it has arrived
            assert server.stop() < 5
        waiting.join(5)
        assert not waiting.is_alive()
    assert server.process is not None
    assert server.process.returncode in (0, -15)
    assert [frame["event"] for frame in told] == ["status"]
    assert "Traceback" not in server.log.read_text()
