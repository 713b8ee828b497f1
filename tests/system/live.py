"""A running stack as its users see it: enqueue, follow, wait; with its tables and logs when a test fails."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg
from psycopg.rows import dict_row

from ops.logfile import tail
from ops.stack import Stack

AGENTS = Path(__file__).resolve().parent / "agents"
TERMINAL = {"SUCCESS", "FAILED", "CANCELED"}
LOOK_EVERY = 0.02


class ComesAgain(httpx.HTTPTransport):
    """Repeats a request when the API asks for it: a busy machine postpones many concurrent reads of one key by a second."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(60):
            response = super().handle_request(request)
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                break
            response.close()
            time.sleep(float(response.headers["retry-after"]))
        return response


class Live:
    """Talks to a stack by HTTP; use it in a `with` statement."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.http = self.client(stack.api_key)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def client(self, key: str) -> httpx.Client:
        return self.client_with({"x-api-key": key})

    def client_with(self, headers: Mapping[str, str]) -> httpx.Client:
        return httpx.Client(base_url=self.stack.url, headers=headers, timeout=40, transport=ComesAgain())

    def connect(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(self.stack.database_url, autocommit=True, row_factory=dict_row)

    def key(self, tenant: str) -> str:
        """Create a key that may do everything for a tenant."""
        command = [sys.executable, "-m", "api.keys", "create", "--tenant", tenant, "--name", "test"]
        command += ["--scopes", "enqueue,read,decide,operate,admin"]
        root, env = Path.cwd(), dict(self.stack.fleet.env)
        made = subprocess.run(command, cwd=root, env=env, check=True, capture_output=True, text=True, timeout=60)
        return made.stdout.split()[-1]

    # --------------------------------------------------------------------------------------------------------- runs
    def enqueue(self, agent: str, input: dict[str, Any] | None = None, **more: Any) -> str:  # noqa: A002
        answer = self.http.post("/v1/runs", json={"agent": agent, "input": input or {}, **more})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["runId"])

    def enqueue_batch(self, agent: str, inputs: list[dict[str, Any]]) -> list[str]:
        answer = self.http.post("/v1/runs/batch", json={"runs": [{"agent": agent, "input": given} for given in inputs]})
        assert answer.status_code == 201, answer.text
        return [run["runId"] for run in answer.json()["runs"]]

    def enqueue_batch_for(self, user: str, agent: str, inputs: list[dict[str, Any]]) -> list[str]:
        runs = [{"agent": agent, "input": given, "userId": user} for given in inputs]
        answer = self.http.post("/v1/runs/batch", json={"runs": runs})
        assert answer.status_code == 201, answer.text
        return [run["runId"] for run in answer.json()["runs"]]

    def run(self, run: str) -> dict[str, Any]:
        answer = self.http.get(f"/v1/runs/{run}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def end(self, run: str, seconds: float = 30) -> dict[str, Any]:
        """Wait until a run has ended and return it."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.http.get(f"/v1/runs/{run}/wait", params={"timeout": 5})
            if answer.status_code == 200:
                body: dict[str, Any] = answer.json()
                return body
            assert answer.status_code == 202, answer.text
            assert time.monotonic() < deadline, f"did not end within {seconds} s: {answer.json()}\n{self.words()}"

    def end_all(self, runs: list[str], seconds: float) -> dict[str, dict[str, Any]]:
        """Wait until all these runs have ended, in any order, and return them by id."""
        self.until(lambda: not self.going(runs), f"{len(runs)} runs ended", seconds, lambda: self.going(runs)[:5])
        return {run: self.run(run) for run in runs}

    def going(self, runs: list[str]) -> list[dict[str, Any]]:
        """Return the table's rows of those of these runs that have not ended."""
        with self.connect() as connection:
            return connection.execute(
                "SELECT id::text, status, epoch, ticket_at, ticket_n, lease_worker, blocked_on, crashes, losses"
                " FROM run WHERE id = ANY(%s::uuid[]) AND finished_at IS NULL ORDER BY id",
                [runs],
            ).fetchall()

    def cancel(self, run: str, **options: Any) -> httpx.Response:
        return self.http.post(f"/v1/runs/{run}/cancel", json=options)

    def events(self, run: str) -> list[dict[str, Any]]:
        """Return all stored events of a run."""
        found: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self.http.get(f"/v1/runs/{run}/events", params={"afterSeq": after, "limit": 200}).json()
            found += page["events"]
            after = page["nextAfterSeq"]
        return found

    def stream(self, run: str, after: int = 0) -> Iterator[tuple[int | None, str, Any]]:
        """Yield `(id, event, data)` of one connection to a run's stream, to its end."""
        headers = {"last-event-id": str(after)} if after else {}
        with (
            self.client_with({**self.http.headers, **headers}) as http,
            http.stream("GET", f"/v1/runs/{run}/sse") as response,
        ):
            assert response.status_code == 200, response.read()
            frame: dict[str, str] = {}
            for line in response.iter_lines():
                if line:
                    name, _, text = line.partition(": ")
                    frame[name] = text
                elif frame:
                    yield int(frame["id"]) if "id" in frame else None, frame["event"], json.loads(frame["data"])
                    frame = {}

    # -------------------------------------------------------------------------------------------------------- facts
    def until(
        self,
        happened: Callable[[], Any],
        what: str,
        seconds: float = 30,
        instead: Callable[[], object] = lambda: "",
    ) -> None:
        """Wait for a fact; if it never happens, show the last value and the logs of the processes."""
        deadline = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}; {instead()}\n{self.words()}"
            time.sleep(LOOK_EVERY)  # the fact belongs to another process; no signal to wait on

    def words(self, lines: int = 15) -> str:
        """Return the last output of every process."""
        logs = sorted(self.stack.logs.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{tail(log, lines)}" for log in logs if "api" not in log.name)


def recorded_then_executed_again(live: Live, run: str, effects: list[dict[str, Any]]) -> set[str]:
    """Return the steps that an activation executed although an earlier one had recorded them as succeeded.

    By the event log: an activation begins at its `start` or `continue`, and knows every step recorded before that.
    `effects` are the lines that the steps wrote outside the system (see `agents/effects.py`).
    """
    known: set[str] = set()
    known_to: dict[int, set[str]] = {}
    for event in live.events(run):
        if "activation" in event:
            known_to[event["activation"]] = set(known)
        elif event["event"] == "step" and event["step"]["status"] == "succeeded":
            known.add(event["step"]["key"])
    return {
        line["key"]
        for line in effects
        if line["what"] == "begin" and line["key"] in known_to.get(line["activation"], known)
    }


def effects_in(log: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of an effect log by run."""
    found: dict[str, list[dict[str, Any]]] = {}
    text = log.read_text() if log.exists() else ""
    for line in text[: text.rfind("\n") + 1].splitlines():  # the text after it is being written just now
        effect = json.loads(line)
        found.setdefault(effect["run"], []).append(effect)
    return found
