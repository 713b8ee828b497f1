"""A worker or a scheduler that cannot serve states why in one sentence and ends, without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import ROOT, Servers
from tests.processes.fleet import HEAD, Fleet, Process, fleet_of

GOOD = """
    @agent
    def echo(run: Run):
        return 1
"""


@dataclass(frozen=True)
class Refusal:
    """A start that must fail: the fault, and the expected sentence."""

    code: int
    says: str
    source: str | None = GOOD
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    scheduler: bool = False
    line: int | None = None


AWAY = "postgresql://somebody:secret-word@127.0.0.1:9/taxiway"
REFUSALS = {
    "agents that raise": Refusal(3, "missing_agents.py:13: ", 'raise RuntimeError("no such model")'),
    "agents that want a variable": Refusal(3, "list it in TAXIWAY_AGENT_ENV", 'os.environ["A_KEY"]'),
    "agents that leave": Refusal(3, "missing_agents.py:13: ", "sys.exit(0)"),
    "an agent on a method": Refusal(
        3, "agent Desk.main is a method", "class Desk:\n    @agent\n    def main(self, run): ...", line=14
    ),
    "an agent of any inputs": Refusal(3, "agent main needs a first parameter", "@agent\ndef main(*args): ...", line=13),
    "a wrong on_deny": Refusal(
        3,
        "a step's on_deny is one of cancel, fail, raise, not 'explode'",
        "@step(on_deny='explode')\ndef work(): ...",
        line=13,
    ),
    "a wrong timeout": Refusal(
        3, "agent main: timeout: 'banana' is no duration", "@agent(timeout='banana')\ndef main(run): ...", line=13
    ),
    "two queues": Refusal(3, "one worker for each", options=("-Q", "default,money")),
    "a prefork pool": Refusal(3, "--pool threads", options=("--pool", "prefork")),
    "a pool of gevent": Refusal(3, "--pool threads", options=("--pool", "gevent")),
    "autoscale": Refusal(3, "give their number with -c", options=("--autoscale=4,1",)),
    "another broker of Celery": Refusal(2, "CELERY_BROKER_URL is set", environment={"CELERY_BROKER_URL": "redis://h"}),
    "a wrong setting": Refusal(2, "TAXIWAY_LEASE_SECONDS is wrong: ", environment={"TAXIWAY_LEASE_SECONDS": "soon"}),
    "a wrong setting of a scheduler": Refusal(
        2, "TAXIWAY_DATABASE_URL is wrong: ", environment={"TAXIWAY_DATABASE_URL": "mysql://x"}, scheduler=True
    ),
    "no database": Refusal(3, "PostgreSQL cannot be reached", environment={"TAXIWAY_DATABASE_URL": AWAY}),
    "no tables": Refusal(3, "alembic upgrade head", environment={"TAXIWAY_DATABASE_URL": "empty"}),
}


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    with fleet_of(servers, template_database, shared_folder, tmp_path_factory.mktemp("refusals")) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def started(fleet: Fleet, servers: Servers) -> dict[str, Process]:
    """Start them all, a few at a time, so that the machine's cores are used and none waits for long."""
    started: dict[str, Process] = {}
    for name, refusal in REFUSALS.items():
        started[name] = _start(fleet, name, refusal, servers.database("postgres"))
        if len(started) % 3 == 0:
            for process in started.values():
                process.popen.wait(300)  # on a busy machine each start takes long
    return started


def _start(fleet: Fleet, name: str, refusal: Refusal, empty: str) -> Process:
    label = name.replace(" ", "-")
    agents = fleet.folder / label / "missing_agents.py"
    agents.parent.mkdir()
    if refusal.source is not None:
        agents.write_text(HEAD + textwrap.dedent(refusal.source))
    command = ["scheduler"] if refusal.scheduler else [*fleet.worker_command(label, 1, "default"), *refusal.options]
    told = {key: empty if value == "empty" else value for key, value in refusal.environment.items()}
    return fleet.start(label, *command, **{"TAXIWAY_AGENTS": str(agents), **told})


@pytest.mark.parametrize("name", REFUSALS)
def test_a_process_that_cannot_serve_says_why_in_one_sentence_and_ends(started: dict[str, Process], name: str) -> None:
    process, refusal = started[name], REFUSALS[name]

    assert process.exit_code() == refusal.code, process.said()
    said = process.said()
    [sentence] = [line for line in said.splitlines() if line.startswith("taxiway: ")]
    assert refusal.says in sentence
    assert refusal.line is None or f"missing_agents.py:{refusal.line}: " in sentence
    assert "Traceback" not in said
    assert not [secret for secret in ("s" * 32, "secret-word") if secret in said]


def test_a_scheduler_without_its_database_says_so_once_and_waits(fleet: Fleet) -> None:
    process = fleet.start("waiting", "scheduler", TAXIWAY_DATABASE_URL=AWAY)
    fleet.until(lambda: "scheduler.database_away" in process.said(), "it says so")
    process.terminate()
    assert process.exit_code() == 0
    assert process.said().count("scheduler.database_away") == 1
    assert "secret-word" not in process.said()
    assert "Traceback" not in process.said()


@pytest.mark.parametrize("what", ["threads", "sockets"])
def test_a_process_that_gevent_or_eventlet_has_patched_is_refused(fleet: Fleet, what: str) -> None:
    patch = {
        "threads": "import _thread; start = _thread.start_new_thread; _thread.start_new_thread = lambda *a, **k: start(*a, **k)",
        "sockets": "import socket; socket.socket = type('socket', (socket.socket,), {'__module__': 'green'})",
    }[what]
    program = fleet.folder / f"patched_{what}.py"
    program.write_text(f"{patch}\nfrom celery.__main__ import main\nmain()\n")
    command = [sys.executable, str(program), *fleet.worker_command(what, 1, "default")[1:]]
    environment = {**os.environ, **fleet.settings, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)

    assert done.returncode == 2, done.stderr
    assert "taxiway: gevent or eventlet has patched this process" in done.stderr
    assert "Traceback" not in done.stderr


def test_options_that_are_not_refused_leave_a_worker_that_executes_runs(fleet: Fleet) -> None:
    fleet.serve(GOOD)
    fleet.scheduler()
    harmless = ["-E", "-O", "fair", "--without-heartbeat", "-S", str(fleet.folder / "state"), "-l", "debug"]
    command = fleet.worker_command("harmless", 1, "default")
    chatty = [word for word in command if word not in ("--without-mingle", "--without-gossip")]
    for options in (harmless, []):
        worker = fleet.start("harmless", *chatty, *options, TAXIWAY_WORKER_NAME="harmless")
        assert fleet.result(fleet.enqueue("echo")) == 1
        worker.terminate()
        assert worker.exit_code() == 0, worker.tail()
