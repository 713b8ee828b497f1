"""People decide about real runs: by the link, from Python and from the terminal, and the run resumes with the decision."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from taxiway import AsyncClient, Client

from tests.system.live import AGENTS, Live


@pytest.fixture(scope="module")
def live(stack: Any) -> Iterator[Live]:
    with Live(stack(agents=str(AGENTS / "asking.py"), workers=1)) as live:
        yield live


@pytest.fixture
def client(live: Live) -> Iterator[Client]:
    with Client(live.stack.url, live.stack.api_key) as client:
        yield client


def link_of(client: Client, run: str) -> str:
    """Wait for the run's question as a notifier does, and return its link."""
    event = next(event for event in client.run(run).events() if event.type == "run_approval")
    return str(event.data["approvalUrl"])


def test_a_run_goes_on_with_what_was_decided_by_its_link(live: Live, client: Client) -> None:
    run = live.enqueue("ship", {"order_id": "A7"})
    link = link_of(client, run)
    assert link.startswith(f"{live.stack.url}/v1/runs/approval?token=")
    json_only = {"accept": "application/json"}
    with httpx.Client(trust_env=False, headers=json_only) as anybody:
        assert anybody.get(link).json()["details"] == {"order": "A7"}
        decided = anybody.get(f"{link}&decision=approve&choice=sea&comment=go").json()
    assert decided["outcome"]["choice"] == "sea"
    ended = live.end(run)
    assert (ended["status"], ended["result"]) == ("SUCCESS", ["sea", "link", "go"])


def test_a_run_goes_on_with_the_answer_in_its_type(live: Live, client: Client) -> None:
    run = live.enqueue("where")
    link_of(client, run)

    async def answer() -> None:
        async with AsyncClient(live.stack.url, live.stack.api_key) as aclient:
            await aclient.run(run).answer({"street": "Elm", "number": 7})

    asyncio.run(answer())
    assert live.end(run)["result"] == "Elm 7"


def test_a_run_that_must_be_let_begin_is_shown_and_let_begin_or_not(live: Live, client: Client) -> None:
    runs = [live.enqueue("ship", {"order_id": f"B{n}"}, approvalStrategy="ON_START") for n in range(2)]
    for run in runs:
        link_of(client, run)
        [question] = client.approvals(run_id=run)
        assert (question.prompt, question.details["agent"]) == ("Start ship?", "ship")
        assert question.details["input"]["order_id"].startswith("B")
    client.deny(runs[0], comment="not now")
    ended = live.end(runs[0])
    assert (ended["status"], ended["reason"], ended["stepsTotal"]) == ("CANCELED", "denied", 0)
    client.approve(runs[1])
    live.until(
        lambda: [found.prompt for found in client.approvals(run_id=runs[1])] == ["Ship B1?"], "its own question", 20
    )
    client.approve(runs[1], choice="air")
    assert live.end(runs[1])["result"][0] == "air"


def test_whoever_watches_in_a_terminal_sees_the_question_and_how_to_answer_it(live: Live, tmp_path: Path) -> None:
    env = {"PATH": "", "TAXIWAY_URL": live.stack.url, "TAXIWAY_API_KEY": live.stack.api_key, "NO_COLOR": "1"}
    taxiway = [sys.executable, "-m", "taxiway"]
    enqueue = [*taxiway, "enqueue", "ship", "-i", "order_id=C1", "--watch"]
    log = tmp_path / "watched"
    with log.open("w") as output, subprocess.Popen(enqueue, env=env, cwd=tmp_path, stdout=output) as watching:
        live.until(lambda: "taxiway approve" in log.read_text(), "the question is shown", 20)
        command = next(line for line in log.read_text().splitlines() if "taxiway approve" in line).partition("   (or")[
            0
        ]
        assert f"waits for Ship C1?: {live.stack.url}/v1/runs/approval?token=" in log.read_text()
        approve = [*taxiway, *command.split()[1:], "--json"]
        done = subprocess.run(approve, env=env, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30)
        assert json.loads(done.stdout)["outcome"]["choice"] == "air"
        assert watching.wait(30) == 0
    assert "approved: air by" in log.read_text()


def test_many_parked_runs_are_approved_at_once_and_each_goes_on_once(live: Live, client: Client) -> None:
    runs = live.enqueue_batch("ship", [{"order_id": f"D{n}"} for n in range(60)])
    live.until(lambda: len([q for q in client.approvals() if q.run_id in set(runs)]) == 60, "all of them ask", 60)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: client.approve(run, choice="air"), runs))
    ended = live.end_all(runs, 60)
    assert {run["result"][0] for run in ended.values()} == {"air"}
    assert {run["activations"] for run in ended.values()} == {2}
    assert [[event.get("verb") for event in live.events(run)].count("resume") for run in runs] == [1] * 60
