"""Following runs: by streams that break and are resumed, and by the command line."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.system.live import AGENTS, Live

CLIENTS, RUNS, PARTS = 20, 4, 60


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "teller.py"))) as live:
        yield live


# ------------------------------------------------------------------------------------------------------------ the stream
class Follower:
    """A client that reads a few events, breaks the connection, and reconnects with the last id it saw."""

    def __init__(self, live: Live, run: str, seed: int, *, steady: bool = False) -> None:
        self.live, self.run, self.random, self.steady = live, run, random.Random(seed), steady
        self.stored: list[tuple[int, Any]] = []
        self.told: list[str] = []
        self.connections = 0

    def follow(self) -> Follower:
        deadline = time.monotonic() + 60
        while not self.stored or self.stored[-1][1]["event"] != "end":
            assert time.monotonic() < deadline, f"saw {len(self.stored)} events by {self.connections} connections"
            self._connect()
            time.sleep(self.random.uniform(0, 0.2))  # the events during this time must not be missed
        return self

    def _connect(self) -> None:
        self.connections += 1
        patience = 0 if self.steady else self.random.randint(1, 25)
        last = self.stored[-1][0] if self.stored else 0
        for seq, event, data in self.live.stream(self.run, after=last):
            if seq is None:
                self.told.append(event)
            else:
                assert (data["seq"], data["event"]) == (seq, event)
                self.stored.append((seq, data))
            patience -= 1
            if patience == 0:
                return


def test_clients_that_disconnect_at_random_see_every_event_once_in_order_also_while_the_broker_is_emptied(
    live: Live,
) -> None:
    runs = [live.enqueue("teller", {"parts": PARTS}) for _ in range(RUNS)]
    followers = [Follower(live, runs[number % RUNS], number) for number in range(CLIENTS)]
    followers.append(Follower(live, runs[0], 0, steady=True))
    with ThreadPoolExecutor(len(followers)) as pool, redis.Redis.from_url(live.stack.redis_url) as valkey:
        following = [pool.submit(follower.follow) for follower in followers]
        live.until(lambda: live.run(runs[0])["stepsTotal"] >= PARTS // 2, "half of the work is done", 60)
        valkey.flushdb()  # everything of this stack there; other databases of the server are other tests'
        assert live.run(runs[0])["status"] == "RUNNING"
        for follower in following:
            follower.result(90)

    for run in runs:
        assert live.end(run)["result"] == PARTS
    for follower in followers:
        stored = live.events(follower.run)
        assert [seq for seq, _ in follower.stored] == list(range(1, len(stored) + 1))
        without_outcome = [{k: v for k, v in data.items() if k != "result"} for _, data in follower.stored]
        assert without_outcome == stored
        assert [data["data"]["number"] for _, data in follower.stored if data["event"] == "agent"] == list(range(PARTS))
        assert follower.stored[-1][1]["result"] == PARTS
        assert follower.connections == 1 if follower.steady else follower.connections > 3
    assert {"progress", "agent"} <= set(followers[-1].told), "whoever stays sees what is live only, too"


def test_a_stream_of_a_finished_run_is_complete_from_anywhere_and_ends(live: Live) -> None:
    run = live.enqueue("teller", {"parts": 3, "seconds": 0})
    live.end(run)
    stored = [event["seq"] for event in live.events(run)]
    for after in (0, 1, stored[-1] - 1, stored[-1]):
        assert [seq for seq, _, _ in live.stream(run, after=after)] == stored[after:]


# ------------------------------------------------------------------------------------------------------ the command line
def taxiway(live: Live, *words: str, **env: str) -> subprocess.Popen[str]:
    told = {"TAXIWAY_URL": live.stack.url, "TAXIWAY_API_KEY": live.stack.api_key, **env}
    return subprocess.Popen(
        [sys.executable, "-m", "taxiway", *words],
        env={**os.environ, **told},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    return process.returncode, out, err


def documents(out: str) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_watching_a_run_that_succeeds_ends_with_0_and_its_result(live: Live) -> None:
    code, out, err = outcome(taxiway(live, "enqueue", "teller", "-i", "parts=3", "--watch"))
    assert (code, err) == (0, "")
    assert "SUCCESS" in out
    assert out.count("work") == 3

    code, out, _ = outcome(taxiway(live, "enqueue", "teller", "--input", '{"parts": 2}', "--watch", "--json"))
    events = documents(out)
    assert code == 0
    assert [event["id"] for event in events if event["id"]] == list(range(1, 8)), (
        "enqueue, start, 2 x (step, part), end"
    )
    assert (events[-1]["event"], events[-1]["data"]["result"]) == ("end", 2)


def test_watching_a_run_that_fails_ends_with_1_and_says_why(live: Live) -> None:
    code, out, _ = outcome(taxiway(live, "enqueue", "failing", "--watch"))
    assert code == 1
    assert "FAILED step_error in step divide: ZeroDivisionError: division by zero" in out

    code, out, _ = outcome(taxiway(live, "enqueue", "failing", "--watch", "--json"))
    assert code == 1
    assert documents(out)[-1]["data"]["error"]["code"] == "step_error"


def test_watching_a_run_that_is_canceled_ends_with_4(live: Live, tmp_path: Path) -> None:
    here = tmp_path / "here"
    process = taxiway(live, "enqueue", "waiting", "-i", f"file={here}", "--watch")
    live.until(here.exists, "the agent executes")
    [run] = live.http.get("/v1/runs", params={"agent": "waiting", "status": "RUNNING"}).json()["runs"]
    cancel = taxiway(live, "cancel", run["runId"], "--json")
    assert outcome(cancel)[0] == 0
    code, out, _ = outcome(process)
    assert code == 4
    assert "CANCELED (by_user)" in out


@pytest.mark.parametrize("json", [[], ["--json"]])
def test_a_server_that_is_not_there_ends_the_command_with_3(live: Live, json: list[str]) -> None:
    code, out, err = outcome(taxiway(live, "enqueue", "teller", *json, TAXIWAY_URL="http://127.0.0.1:1"))
    assert code == 3
    assert "http://127.0.0.1:1" in (out if json else err)
    if json:
        assert documents(out)[-1]["error"]["code"] == "not_reachable"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["teller", "-i", "parts=many"], "input.parts"),
        (["teler"], "teller"),
        (["teller", "--input", "{"], "JSON"),
        (["teller", "--frequency", "3"], "--frequency"),
    ],
)
def test_a_wrong_request_ends_with_2_and_says_what_is_wrong(live: Live, words: list[str], said: str) -> None:
    code, out, err = outcome(taxiway(live, "enqueue", *words))
    assert (code, out) == (2, "")
    assert said in err
