"""No token of a link, no state, no code and no access token is stored in the clear: in no table, log, frame, key or message."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from tests.oauth import NAME, Loopback, come_back, decide, loopback, params, set_out
from tests.system.live import AGENTS, Live
from tests.system.test_secrecy import Monitor, forms

# Takes the place of the interpreter of agent hosts, and records every frame that a host sends and gets.
TAP = """#!{python} -I
import runpy, sys
from taxiway import frames

encode, decode = frames.encode, frames.decode


def keep(data):
    with open({file!r}, "ab") as file:
        file.write(bytes(data) + b"\\n")
    return data


frames.encode = lambda frame: keep(encode(frame))
frames.decode = lambda body: decode(keep(body))
sys.argv = sys.argv[3:]  # behind `-I -m taxiway.host`
runpy.run_module("taxiway.host", run_name="__main__", alter_sys=True)
"""


@dataclass
class Scene:
    """Everything that was written, by kind of secret; `said` are the commands to the broker."""

    live: Live
    frames: Path
    secrets: dict[str, list[str]] = field(default_factory=dict)
    said: list[bytes] = field(default_factory=list)

    def leaks(self, data: bytes) -> set[str]:
        """Return the kinds of secrets that are in this text."""
        return {
            kind for kind, found in self.secrets.items() for text in found if any(form in data for form in forms(text))
        }


@pytest.fixture(scope="module")
def scene(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("links")
    tap, frames = folder / "python", folder / "frames"
    tap.write_text(TAP.format(python=sys.executable, file=str(frames)))
    tap.chmod(0o755)
    env = {"TAXIWAY_LOG_LEVEL": "debug", "TAXIWAY_AGENT_PYTHON": str(tap)}
    options = {"agents": str(AGENTS / "authorized.py"), "workers": 1, "slots": 2, "env": env}
    with loopback() as provider, Live(stack(**options)) as live:
        scene = Scene(live, frames)
        monitor = Monitor(live.stack.redis_url)
        monitor.start()
        monitor.listening.wait(10)
        play(scene, provider)
        scene.said = monitor.stop()
        yield scene


def play(scene: Scene, provider: Loopback) -> None:
    """Approve and authorize, renew a token, lose and revoke a grant, and try some of it in vain."""
    live, client_secret = scene.live, f"client-{secrets.token_hex(12)}"
    assert live.http.put("/v1/providers/other", json=provider.settings(clientSecret=client_secret)).status_code == 201
    assert live.http.put(f"/v1/providers/{NAME}", json=provider.settings()).status_code == 201
    approval = live.enqueue("asker")
    live.until(lambda: live.run(approval)["status"] == "PAUSED", "it asks")
    asked = next(event["approvalUrl"] for event in live.events(approval) if "approvalUrl" in event)
    decided = httpx.get(f"{asked}&decision=approve", headers={"accept": "application/json"}, trust_env=False)
    assert decided.status_code == 200, decided.text

    provider.conduct(token_seconds=1)
    run = live.enqueue("reader", {"url": provider.url, "hold": True}, userId="ann")
    walked = [walk(live, run)]
    live.until(lambda: (live.run(run)["pause"] or {}).get("kind") == "agent", "it is held")
    httpx.get(walked[0][1], trust_env=False)  # in vain: it was used
    httpx.get(walked[0][1].replace("state=", "state=x"), trust_env=False)
    time.sleep(1)  # the token's own time; only the provider's clock can end it
    live.http.post(f"/v1/runs/{run}/signals/go", json={})
    live.end_all([run], 30)
    provider.conduct(token_seconds=3600, revoke=True)
    again = live.enqueue("reader", {"url": provider.url}, userId="ann")
    walked.append(walk(live, again))
    live.end_all([approval, again], 30)
    assert {live.run(one)["status"] for one in (approval, run, again)} == {"SUCCESS"}
    [grant] = live.http.get("/v1/grants").json()["grants"]
    assert live.http.delete(f"/v1/grants/{grant['id']}").status_code == 204

    scene.secrets = {
        "approval token": [params(asked)["token"]],
        "authorization token": [params(link)["token"] for link, _ in walked],
        "state": [params(callback)["state"] for _, callback in walked],
        "code and tokens": provider.secrets(),
        "client secret": [client_secret],
    }
    assert provider.calls()["refresh_token"] >= 1
    assert len(provider.secrets()) >= 6


def walk(live: Live, run: str) -> tuple[str, str]:
    """Authorize a run, and return both addresses of the way."""
    live.until(lambda: live.run(run)["status"] == "AUTH_REQUIRED", "it asks", instead=lambda: live.run(run))
    link = [event["authUrl"] for event in live.events(run) if "authUrl" in event][-1]
    callback = decide(set_out(link))
    assert come_back(callback).status_code == 200
    return link, callback


def test_the_secrets_can_be_found(scene: Scene) -> None:
    """Without this, the other tests could pass because there was nothing to find."""
    for kind, found in scene.secrets.items():
        for text in found:
            assert scene.leaks(f"before {text} behind".encode()) == {kind}


def test_no_table_holds_one(scene: Scene) -> None:
    with scene.live.connect() as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = {
            table["tablename"]: connection.execute(
                f'SELECT t::text AS text FROM "{table["tablename"]}" AS t'
            ).fetchall()
            for table in tables
        }
    assert all(rows[name] for name in ("grant", "provider", "wait", "event", "step", "run"))
    leaks = {
        name: {kind for row in found for kind in scene.leaks(row["text"].encode())} for name, found in rows.items()
    }
    assert {name: kinds for name, kinds in leaks.items() if kinds} == {}


def test_no_log_holds_one(scene: Scene) -> None:
    logs = {log.name: log.read_bytes() for log in scene.live.stack.logs.glob("*.log")}
    for name, said in {"api.log": b"grant.given", "worker-1.log": b"grant.refreshed"}.items():
        assert said in logs[name], "something was logged"
    leaks = {name: [line for line in text.splitlines() if scene.leaks(line)] for name, text in logs.items()}
    assert {name: lines for name, lines in leaks.items() if lines} == {}


def test_no_frame_between_a_worker_and_its_hosts_holds_one(scene: Scene) -> None:
    frames = scene.frames.read_bytes().splitlines()
    assert any(b'"granted"' in frame and b'"sealed":"' in frame for frame in frames), "tokens went that way"
    assert any(b'"park"' in frame for frame in frames)
    assert [frame for frame in frames if scene.leaks(frame)] == []


def test_no_message_to_the_broker_and_no_key_of_it_holds_one(scene: Scene) -> None:
    assert any(b'"PUBLISH"' in line and b"authentication" in line for line in scene.said), "events were published"
    assert [line for line in scene.said if scene.leaks(line)] == []
    with redis.Redis.from_url(scene.live.stack.redis_url) as client:
        held = [client.dump(key) or b"" for key in client.scan_iter()]
    assert [data for data in held if scene.leaks(data)] == []
