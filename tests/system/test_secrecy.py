"""Inputs and words of agents are seen by their tenant only: by no dashboard, no broker, no log, no other tenant."""

from __future__ import annotations

import ast
import base64
import json
import re
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from tests.system.live import AGENTS, Live

OUTCOMES = {
    "secret_result": "succeeded",
    "secret_step_error": "failed:step_error",
    "secret_agent_error": "failed:agent_error",
    "secret_bad_value": "failed:invalid_output",
    "secret_wait": "canceled",
    "secret_crash": "succeeded",
}


def forms(secret: str) -> list[bytes]:
    """Return how a text may appear in bytes: as it is, and inside of Base64 at every offset."""
    encoded = []
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + secret.encode())
        first = (8 * shift + 5) // 6  # letters that depend on the bytes before
        encoded.append(whole[first : -4 if whole.endswith(b"=") else None])
    return [secret.encode(), *encoded]


class Monitor(threading.Thread):
    """Reads every command to the broker."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.client = redis.Redis.from_url(url, socket_timeout=None)
        self.said: list[bytes] = []
        self.listening = threading.Event()
        self.mark = secrets.token_hex(8)

    def run(self) -> None:
        with self.client.monitor() as monitor:
            self.listening.set()
            while self.mark.encode() not in (line := monitor.connection.read_response()):
                self.said.append(line)

    def stop(self) -> list[bytes]:
        """Return all commands until now."""
        self.client.ping()
        self.client.echo(self.mark)
        self.join(10)
        assert not self.is_alive()
        self.client.close()
        return self.said


@dataclass
class Scene:
    """The runs of one tenant, their secret, and everything that was sent to the broker."""

    live: Live
    secret: str
    runs: dict[str, str] = field(default_factory=dict)
    said: list[bytes] = field(default_factory=list)

    def leaks(self, data: bytes) -> bool:
        return any(form in data for form in forms(self.secret))


@pytest.fixture(scope="module")
def scene(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("secrecy")
    env = {"TAXIWAY_LOG_LEVEL": "debug"}
    with Live(stack(agents=str(AGENTS / "secretive.py"), workers=2, slots=2, flower=True, env=env)) as live:
        scene = Scene(live, f"sentinel{secrets.token_hex(12)}")
        monitor = Monitor(live.stack.redis_url)
        monitor.start()
        monitor.listening.wait(10)
        play(scene, folder)
        scene.said = monitor.stop()
        yield scene


def play(scene: Scene, folder: Path) -> None:
    """Execute runs of every outcome, with the secret in every possible place of a run; also send refused requests."""
    live, secret = scene.live, scene.secret
    more = {"userId": secret, "metadata": {"note": secret}, "tags": [secret]}
    for agent in OUTCOMES:
        given = {"secret": secret}
        if agent in ("secret_wait", "secret_crash"):
            given["file"] = str(folder / agent)
        scene.runs[agent] = live.enqueue(agent, given, **more)
    live.until((folder / "secret_wait").exists, "the run that waits executes")
    assert live.cancel(scene.runs["secret_wait"], reason=secret).status_code == 202
    for run in scene.runs.values():
        live.end(run)

    assert (
        live.http.post("/v1/runs", json={"agent": "secret_result", "input": {"secret": 1, "x": secret}}).status_code
        == 422
    )
    assert live.http.post("/v1/runs", json={"agent": secret}).status_code == 422
    broken = {"content": f'{{"{secret}', "headers": {"content-type": "application/json"}}
    assert live.http.post("/v1/runs", **broken).status_code == 400
    assert len(live.http.get("/v1/runs", params={"userId": secret}).json()["runs"]) == len(OUTCOMES)
    with live.client(secret) as stranger:
        assert stranger.get("/v1/runs").status_code == 401


def test_the_secret_is_where_the_tenant_put_it(scene: Scene) -> None:
    """Without this, the other tests could pass because there was nothing to find."""
    live = scene.live
    for agent, outcome in OUTCOMES.items():
        run = live.run(scene.runs[agent])
        assert run["input"]["secret"] == run["userId"] == run["metadata"]["note"] == scene.secret
        assert run["status"] == {"succeeded": "SUCCESS", "canceled": "CANCELED"}.get(outcome, "FAILED")
        assert (run["reason"] or "") == {"canceled": "by_user"}.get(outcome, outcome.partition(":")[2])
        logs = live.http.get(f"/v1/runs/{run['runId']}/logs").json()["logs"]
        for source in ("log", "inside", "stdout", "stderr"):
            assert any(f"{source}: {scene.secret}" in line["message"] for line in logs), (agent, source)
        assert any(event.get("data") == {"secret": scene.secret} for event in live.events(run["runId"]))
    for agent in ("secret_step_error", "secret_agent_error"):
        assert scene.secret in live.run(scene.runs[agent])["error"]["message"]


def test_what_a_run_printed_is_in_its_own_log_also_when_its_last_line_has_no_end(scene: Scene) -> None:
    """A host serves one run after the other, perhaps of another tenant."""
    runs = [scene.live.enqueue("secret_unfinished", {"secret": f"<{number}>"}) for number in range(24)]
    for number, run in enumerate(runs):
        scene.live.end(run)
        logs = scene.live.http.get(f"/v1/runs/{run}/logs").json()["logs"]
        said = sorted((line["source"], line["message"]) for line in logs)
        assert said == [(stream, f"begun on {stream}: <{number}>") for stream in ("stderr", "stdout")]


# ------------------------------------------------------------------------------------------------------------ the broker
def carries_agent_data(line: bytes) -> bool:
    """Return whether a command is one of our own events that must carry words of the agent or its user.

    The channels of a run and of a tenant feed the streams of users who may read that run. `progress`, `log` and `agent`
    are an agent's own words, and the `end` of a canceled run has the comment of the cancel. Nothing else may.
    """
    published = re.search(rb'"PUBLISH" "taxiway:(?:run|tenant):[^"]*" (".*")$', line)
    if not published:
        return False
    message = json.loads(ast.literal_eval("b" + published[1].decode()))
    return message["event"] in ("progress", "log", "agent") or (message["event"] == "end" and "comment" in message)


def test_no_message_to_the_broker_carries_the_secret(scene: Scene) -> None:
    tickets = [line for line in scene.said if b'"LPUSH" "taxiway:default"' in line]
    assert len(tickets) >= len(OUTCOMES), "the tickets were seen"
    assert any(carries_agent_data(line) and scene.leaks(line) for line in scene.said), "the secret can be seen"
    assert [line for line in scene.said if scene.leaks(line) and not carries_agent_data(line)] == []


def test_no_key_of_the_broker_holds_the_secret(scene: Scene) -> None:
    read = {
        b"string": lambda client, key: [client.get(key)],
        b"list": lambda client, key: client.lrange(key, 0, -1),
        b"set": lambda client, key: list(client.smembers(key)),
        b"hash": lambda client, key: [text for pair in client.hgetall(key).items() for text in pair],
        b"zset": lambda client, key: client.zrange(key, 0, -1),
    }
    with redis.Redis.from_url(scene.live.stack.redis_url) as client:
        keys = list(client.scan_iter())
        held = {key: read[client.type(key)](client, key) for key in keys}
    assert keys
    assert [key for key, texts in held.items() if any(scene.leaks(text) for text in [key, *texts])] == []


# ------------------------------------------------------------------------------------------------------------- dashboards
@pytest.fixture(scope="module")
def flower(scene: Scene) -> Iterator[httpx.Client]:
    """Return a client of Flower's pages and API, once it has seen all runs."""
    stack = scene.live.stack
    user, _, password = stack.flower_auth.partition(":")
    with httpx.Client(base_url=stack.flower_url, auth=(user, password), timeout=20, trust_env=False) as client:
        scene.live.until(lambda: finished(client) >= set(OUTCOMES), "Flower has seen the runs", 20)
        yield client


def finished(flower: httpx.Client) -> set[str]:
    tasks = flower.get("/api/tasks").json().values()
    return {task["name"].removeprefix("agent:") for task in tasks if task["state"] == "SUCCESS"}


def test_flower_shows_workers_by_queue_and_slots_and_runs_by_agent_and_outcome(
    flower: httpx.Client, scene: Scene
) -> None:
    workers = flower.get("/api/workers", params={"refresh": True}).json()
    assert {name.partition("@")[0] for name in workers} == {"default-1x2", "default-2x2"}
    tasks = flower.get("/api/tasks").json()
    words: dict[str, list[str]] = {}
    for task in sorted(tasks.values(), key=lambda task: task["received"]):
        if task["name"].removeprefix("agent:") in OUTCOMES:
            words.setdefault(task["name"], []).append(task["result"].strip("'"))
        assert task["state"] == "SUCCESS", "a failure would mean an error of ours"
    assert words.pop("agent:secret_crash") == ["recovered:host_lost", "succeeded"]
    assert words == {f"agent:{agent}": [word] for agent, word in OUTCOMES.items() if agent != "secret_crash"}
    run = scene.runs["secret_result"]
    assert tasks[f"{run}.1"]["kwargs"] in ("", "{}")
    assert tasks[f"{run}.1"]["args"] == f"run={run} epoch=1"


def test_no_page_and_no_answer_of_flower_shows_the_secret(flower: httpx.Client, scene: Scene) -> None:
    tasks, workers = list(flower.get("/api/tasks").json()), list(flower.get("/api/workers").json())
    assert tasks
    assert workers
    table = {"draw": 1, "start": 0, "length": 100, "search[value]": "", "order[0][column]": 0, "order[0][dir]": "asc"}
    pages = ["/", "/workers", "/tasks", "/broker", "/metrics", "/healthcheck", "/api/tasks", "/api/task/types"]
    pages += ["/api/workers", "/api/workers?refresh=1&status=0", "/api/queues/length", "/workers?json=1"]
    pages += [f"/worker/{worker}" for worker in workers]
    pages += [f"/{place}/{task}" for task in tasks for place in ("task", "api/task/info")]
    answers = {page: flower.get(page) for page in pages}
    answers |= {
        f"/api/task/result/{task}": flower.get(f"/api/task/result/{task}", params={"timeout": 1}) for task in tasks[:1]
    }
    answers["datatable"] = flower.get("/tasks/datatable", params={**table, "columns[0][data]": "name"})
    assert answers["datatable"].json()["recordsTotal"] == len(tasks)
    refused = {page: answer.status_code for page, answer in answers.items() if answer.status_code != 200}
    assert set(refused) <= {"/api/task/result/" + tasks[0], "/"}, "there is no result backend"
    assert [page for page, answer in answers.items() if scene.leaks(answer.content)] == []


def test_flower_changes_nothing_and_shows_nothing_without_a_login(flower: httpx.Client) -> None:
    [worker, *_] = flower.get("/api/workers").json()
    with httpx.Client(base_url=flower.base_url, timeout=20, trust_env=False) as stranger:
        for page in ("/", "/tasks", "/workers", "/api/tasks", "/api/workers"):
            assert stranger.get(page).status_code == 401, page
    assert flower.post(f"/api/worker/shutdown/{worker}").status_code in (403, 405)
    assert flower.post("/api/task/async-apply/executor.advance", json={"args": []}).status_code in (403, 405)


# ------------------------------------------------------------------------------------------------- logs and other tenants
def test_no_log_of_a_server_holds_the_secret(scene: Scene) -> None:
    logs = {log.name: log.read_bytes() for log in scene.live.stack.logs.glob("*.log")}
    assert {"api.log", "scheduler-1.log", "worker-1.log", "worker-2.log", "flower.log"} <= set(logs)
    for log, fact in {"api.log": "run.accepted", "worker-1.log": "run.", "scheduler-1.log": "scheduler.leads"}.items():
        assert fact.encode() in logs[log], "something was logged"
    leaks = {log: [line for line in text.splitlines() if scene.leaks(line)] for log, text in logs.items()}
    assert {log: lines for log, lines in leaks.items() if lines} == {}


def test_another_tenant_finds_none_of_the_runs(scene: Scene) -> None:
    with scene.live.client(scene.live.key("other")) as other:
        listed = other.get("/v1/runs")
        assert listed.json()["runs"] == []
        assert other.get("/v1/runs", params={"userId": scene.secret}).json()["runs"] == []
        for run in scene.runs.values():
            for path in ("", "?includeEvents=true&includeOutputs=true", "/steps", "/events", "/logs", "/sse", "/wait"):
                answer = other.get(f"/v1/runs/{run}{path}")
                assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found"), path
                assert not scene.leaks(answer.content)
            assert other.delete(f"/v1/runs/{run}").status_code == 404
            assert other.post(f"/v1/runs/{run}/cancel").status_code == 404
        for path in ("/v1/agents", "/v1/workers", "/v1/capacity", "/v1/keys", "/metrics", "/ready", "/health"):
            assert not scene.leaks(other.get(path).content), path
