"""An agent that shows too much loses part of it, and takes no time from other runs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest

from models.runtime.bus import run_channel
from models.runtime.redis_client import open_redis
from tests.conftest import Servers
from tests.processes.fleet import Fleet, fleet_of

AGENTS = """
    import gc
    from taxiway.activation import Activation
    from taxiway.frames import FrameSocket

    def frames_of(kind, about):
        n = 0
        while True:
            n += 1
            step = {"key": "same", "name": "s", "digest": "d", "occurrence": 1, "attempts": 1, "attempt": 1, "value": "1"}
            match kind:
                case "step" | "held back":
                    yield {"frame": "step", "n": n, **step, **about}
                case "value":
                    yield {"frame": "step", "n": n, **step, "key": f"k{n}", "value": '"' + "x" * 100_000 + '"', **about}
                case "begun":
                    yield {"frame": "step_started", **step, "key": f"k{n}" * 40, **about}
                case "grant":
                    yield {"frame": "grant", "ask": n, "want": "token", "provider": "p", "subject": "s", **about}
                case "look":
                    wait = {"key": f"w{n}", "kind": "signal", "request": '{"name": "s"}'}
                    yield {"frame": "look", "n": n, "waits": [wait], **about}
                case "bad":
                    yield {"frame": "step", "n": n, **step, "value": "no JSON", **about}
                case "of another":
                    yield {"frame": "step", "n": n, **step, "activation": "another"}

    @agent
    def floods(run: Run, kind: str):
        "Say what an honest host says, but without an end."
        [channel] = [one for one in gc.get_objects() if type(one) is FrameSocket]
        known = [one.order.activation for one in gc.get_objects() if type(one) is Activation]
        [activation] = {one for one in known if one.startswith(str(run.id))}
        run.step(int)
        for frame in frames_of(kind, {"activation": activation}):
            channel.send(frame)

    def gate(name):
        while not (Path(__file__).parent / name).exists():
            time.sleep(0.01)

    @agent
    def busy(run: Run, count: int):
        run.using(name="gate").step(gate, f"free-{run.id}")
        for n in range(count):
            run.progress(n + 1, count)
        run.emit("half", durable=True)
        for n in range(count):
            run.progress(n + 1, 2)
        return "done"

    @agent
    async def talkative(run: AsyncRun, count: int):
        await run.using(name="gate").step(gate, f"free-{run.id}")
        for n in range(count):
            run.emit("token", n)
        return "done"

    @agent
    def hostile(run: Run):
        while True:
            for _ in range(50):
                run.emit("noise", "x" * 100)
            run.log("noise")
            run.progress(1)

    @agent
    def steady(run: Run):
        began = time.monotonic()
        for n in range(50):
            run.using(name=f"s{n}").step(int)
        return time.monotonic() - began
"""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    with fleet_of(servers, template_database, shared_folder, tmp_path_factory.mktemp("floods")) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        fleet.worker("only", slots=3)
        yield fleet


@contextmanager
def _watched(fleet: Fleet, run: UUID) -> Iterator[list[dict[str, Any]]]:
    """Append the messages about a run to a list, until its end."""
    heard: list[dict[str, Any]] = []
    with open_redis(fleet.redis_url) as client, client.pubsub(ignore_subscribe_messages=True) as subscription:
        subscription.subscribe(run_channel(run))
        subscription.get_message(timeout=5)

        def listen() -> None:
            while not heard or heard[-1]["event"] != "end":
                if (message := subscription.get_message(timeout=10)) is not None:
                    heard.append(json.loads(message["data"]))

        thread = threading.Thread(target=listen)
        thread.start()
        yield heard
        thread.join(30)


def _followed(fleet: Fleet, agent: str, count: int) -> tuple[UUID, list[dict[str, Any]], float]:
    run = fleet.enqueue(agent, count=count)
    fleet.in_step(run, "gate")
    with _watched(fleet, run) as heard:
        began = time.monotonic()
        (fleet.folder / f"free-{run}").touch()
        assert fleet.result(run) == "done"
        took = time.monotonic() - began
    return run, heard, took


def test_of_twenty_thousand_pieces_of_progress_the_newest_are_shown_and_the_last_of_all(fleet: Fleet) -> None:
    count = 20_000
    _, heard, took = _followed(fleet, "busy", count)
    kinds = [event["event"] for event in heard]
    half = kinds.index("agent")
    assert [heard[half - 1][name] for name in ("event", "done", "total")] == ["progress", count, count]
    assert [heard[-2][name] for name in ("event", "done", "total")] == ["progress", count, 2]
    assert 2 <= kinds.count("progress") <= 10 * took + 6, (kinds.count("progress"), took)


def test_events_that_nobody_can_read_are_dropped_and_counted_in_the_log(fleet: Fleet) -> None:
    count = 10_000
    run, heard, took = _followed(fleet, "talkative", count)
    shown = [event["data"] for event in heard if event["event"] == "agent"]
    assert shown == sorted(shown)
    assert 600 <= len(shown) <= 600 + 300 * (took + 1)
    query = "SELECT message FROM log WHERE run_id = %s AND message LIKE %s"
    told = fleet.database.execute(query, [run, "%live events were not shown%"]).fetchall()
    dropped = sum(int(row["message"].split()[0].replace(",", "")) for row in told)
    assert dropped + len(shown) == count


@pytest.mark.parametrize("kind", ["step", "value", "begun", "grant", "look", "bad", "of another"])
def test_a_host_that_never_waits_for_an_answer_costs_no_neighbour_time_or_memory(fleet: Fleet, kind: str) -> None:
    worker = psutil.Process(fleet.processes[-1].popen.pid)
    fleet.result(fleet.enqueue("steady"))
    before = worker.memory_info().rss
    floods = [fleet.enqueue("floods", kind=kind) for _ in range(2)]
    try:
        for run in floods:
            fleet.status(run, "RUNNING", "FAILED")
        beside = max(fleet.result(fleet.enqueue("steady")) for _ in range(2))
        grown = (worker.memory_info().rss - before) >> 20
    finally:
        for run in floods:
            fleet.cancel(run)
    ends = [fleet.ends(run) for run in floods]
    assert not [end["error"] for end in ends if end["error"] and "Error" in str(end["error"].get("type"))], "it flooded"
    assert beside < 20, "1.7 s at most on two quiet cores, and without an end where nothing bounds the floods"
    assert grown < 100


def test_a_host_whose_items_are_refused_again_and_again_is_ended_and_its_run_says_why(fleet: Fleet) -> None:
    end = fleet.ends(fleet.enqueue("floods", kind="step"))
    assert (end["status"], end["reason"]) == ("FAILED", "crashed")
    assert "10 of its items could not be recorded" in str(end["error"]), end["error"]


def test_hostile_neighbours_of_a_run_delay_its_steps_little(fleet: Fleet) -> None:
    noisy = [fleet.enqueue("hostile") for _ in range(2)]
    for run in noisy:
        fleet.status(run, "RUNNING")
    beside = fleet.result(fleet.enqueue("steady"))
    for run in noisy:
        fleet.cancel(run)
    for run in noisy:
        assert fleet.ends(run)["status"] == "CANCELED"
    assert beside < 5
