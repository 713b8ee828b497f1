"""Runs on a real worker: what agents see, return, print and break does not affect other runs."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from celery import Celery

from models.promotion.tickets import Ticket
from models.runs.enqueue import NewRun
from models.runtime.celery_settings import broker_settings
from models.runtime.settings import Settings
from scheduler.promotion.publisher import TASK, message
from tests.conftest import Servers
from tests.processes.fleet import Fleet, Process, fleet_of, pid_is_gone

AGENTS = r"""
    @agent
    def add(run: Run, numbers: list[int]) -> int:
        total = 0
        for number in numbers:
            def added(total=total, number=number):
                effect(f"add {run.id} {number}")
                return total + number
            total = run.using(name=f"add {number}").step(added)
        run.progress(1, 1)
        return total

    @agent
    def surroundings(run: Run) -> dict:
        def look():
            proc = dict(entry.split("=", 1) for entry in Path("/proc/self/environ").read_text().split("\0") if "=" in entry)
            found = []
            for name in ("models", "executor", "api", "scheduler", "ops"):
                try:
                    __import__(name)
                except ModuleNotFoundError:
                    continue
                found.append(name)
            fds = {}
            for fd in os.listdir("/proc/self/fd"):
                if os.path.exists(f"/proc/self/fd/{fd}"):
                    fds[fd] = os.readlink(f"/proc/self/fd/{fd}")
            child = subprocess.run(["sh", "-c", "ls -l /proc/self/fd; env"], capture_output=True, text=True).stdout
            return {"environ": dict(os.environ), "proc": proc, "found": found, "path": sys.path, "fds": fds, "child": child}
        return run.step(look)

    @agent
    def give(run: Run, text: str):
        "Return a step's value whose JSON is exactly `text`, past the SDK's own checks."
        import taxiway.step_script as step_script
        def given():
            return None
        kept, step_script.json_text = step_script.json_text, lambda *_: text
        try:
            return run.step(given)
        finally:
            step_script.json_text = kept

    @agent
    def give_honestly(run: Run, kind: str):
        values = {"nan": float("nan"), "nul": "a\0b", "surrogate": "\ud800", "large": "x" * 2_000_000, "object": object()}
        return run.step(values.__getitem__, kind)

    @agent
    def flood(run: Run):
        def flooding():
            effect(f"flood {run.id}")
            line = b"x" * 9999 + b"\n"
            for _ in range(10_000):
                os.write(1, line)
            return "dry"
        return run.step(flooding)

    @agent
    def foul(run: Run):
        def fouling():
            effect(f"foul {run.id}")
            for fd in os.listdir("/proc/self/fd"):
                try:
                    if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                        os.write(int(fd), b"\0\0\0\5nope!" * 3)
                except OSError:
                    pass
            time.sleep(30)
        return run.step(fouling)

    @agent
    def chat(run: Run, words: list[str], ending: str = "\n") -> str:
        for word in words:
            sys.stdout.write(word + ending)
        return "said"

    @agent
    def adopt(run: Run):
        "Leave a child behind that holds the channel open, then die."
        def adopting():
            effect(f"adopt {run.id}")
            if os.fork() == 0:
                os.setsid()
                effect(f"child {os.getpid()}")
                time.sleep(600)
            time.sleep(0.1)
            os.kill(os.getpid(), 9)
        return run.step(adopting)

    @agent
    def leave(run: Run):
        "Die with a child of the group still running."
        def leaving():
            child = subprocess.Popen(["sleep", "600"])
            effect(f"leave {run.id} {child.pid}")
            os.kill(os.getpid(), 9)
        return run.step(leaving)

    @agent
    async def juggle(run: AsyncRun, count: int):
        "Many steps at once, small and large values in no order, recalled by a second activation."
        async def piece(n: int) -> str:
            await asyncio.sleep(0.002 * (n * 7 % 5))
            effect(f"piece {run.id} {n}")
            return "x" * (200_000 if n % 3 == 0 else 10)
        async def more(n: int) -> int:
            effect(f"more {run.id} {n}")
            return n
        async def both(n):
            text = await run.step(piece, n)
            if n == count - 1 and len(effects(f"dying {run.id}")) == 0:
                effect(f"dying {run.id}")
                os.kill(os.getpid(), 9)
            return len(text) + await run.step(more, n)
        return sum(await asyncio.gather(*(both(n) for n in range(count))))

    def effects(word):
        return [line for line in LOG.read_text().splitlines() if line.startswith(word)] if LOG.exists() else []
"""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("runs")
    with fleet_of(servers, template_database, shared_folder, folder) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        yield fleet


@pytest.fixture(scope="module")
def worker(fleet: Fleet) -> Process:
    secrets = {"OPENAI_API_KEY": "sk-theirs", "PGPASSWORD": "x", "PYTHONPATH": "/nowhere", "FLOWER_BASIC_AUTH": "a:b"}
    leak = {"LEAKED": f"broker is {fleet.redis_url}", "CELERY_X": "1"}
    return fleet.worker("only", 3, **secrets, **leak)


@pytest.fixture(autouse=True)
def _serving(worker: Process) -> None:
    """All tests here share the one worker."""


def test_a_run_goes_through_and_says_so_in_order(fleet: Fleet) -> None:
    run = fleet.enqueue("add", numbers=[1, 2, 3])

    assert fleet.result(run) == 6
    assert [(event["type"], event["verb"]) for event in fleet.events(run)] == [
        ("status", "enqueue"), ("start", "start"), ("step", None), ("step", None), ("step", None), ("end", "succeed"),
    ]  # fmt: skip
    row = fleet.run(run)
    assert (row["status"], row["step_count"], row["activations"], row["epoch"], row["crashes"]) == (
        "SUCCESS",
        3,
        1,
        1,
        0,
    )
    assert row["agent_version"]


def test_agent_code_sees_no_variable_descriptor_or_module_of_ours(fleet: Fleet) -> None:
    seen = fleet.result(fleet.enqueue("surroundings"))

    for variables in (seen["environ"], seen["proc"]):
        assert not [name for name in variables if name.startswith(("TAXIWAY_", "CELERY_", "FLOWER_", "PG", "PYTHON"))]
        assert variables["OPENAI_API_KEY"] == "sk-theirs"
        assert "LEAKED" not in variables
        for secret in ("s" * 32, fleet.redis_url, fleet.database_url):
            assert not [name for name, value in variables.items() if secret in value]
    assert seen["found"] == []
    assert "TAXIWAY" not in seen["child"]
    assert "socket:" not in seen["child"]  # the channel is closed in everything that an agent starts
    assert not [target for target in seen["fds"].values() if ".s.PGSQL" in target or target.endswith(".log")]


@pytest.mark.parametrize("text", ["NaN", r'"\u0000"', r'{"a": "\ud800"}', '"' + "x" * (1 << 20) + '"'])
def test_a_value_that_cannot_be_kept_fails_its_step_while_runs_beside_it_go_on(fleet: Fleet, text: str) -> None:
    beside = fleet.enqueue_many([NewRun("add", "default", json.dumps({"numbers": [1, 2]})) for _ in range(4)])
    bad = fleet.enqueue("give", text=text)
    beside += fleet.enqueue_many([NewRun("add", "default", json.dumps({"numbers": [1, 2]})) for _ in range(4)])

    row = fleet.ends(bad)
    code = "output_too_large" if len(text) > 1 << 20 else "invalid_output"
    assert (row["status"], row["reason"], row["error"]["code"]) == ("FAILED", code, code)
    assert "given" in row["error"]["message"]
    assert row["crashes"] == 0
    assert [fleet.result(run) for run in beside] == [3] * 8


@pytest.mark.parametrize("kind", ["nan", "nul", "surrogate", "large", "object"])
def test_the_same_values_returned_honestly_name_the_step(fleet: Fleet, kind: str) -> None:
    row = fleet.ends(fleet.enqueue("give_honestly", kind=kind))
    code = "output_too_large" if kind == "large" else "invalid_output"
    assert (row["status"], row["error"]["code"], row["crashes"]) == ("FAILED", code, 0)
    assert "__getitem__" in row["error"]["message"]


def test_a_flood_of_output_is_bounded_and_does_not_stop_others(fleet: Fleet, worker: Process) -> None:
    flood = fleet.enqueue("flood")
    fleet.until(lambda: fleet.effects(f"flood {flood}"), "it begins")
    before = psutil.Process(worker.pid).memory_info().rss
    assert fleet.result(fleet.enqueue("add", numbers=[1, 1])) == 2

    assert fleet.result(flood, 60) == "dry"
    log = fleet.until(lambda: (lines := fleet.log(flood)) and "full" in lines[-1] and lines, "the marker")
    assert sum(len(line) for line in log) <= (1 << 20) + 100
    assert fleet.run(flood)["log_bytes"] <= (1 << 20) + 100
    assert psutil.Process(worker.pid).memory_info().rss - before < 100 << 20


def test_a_malformed_frame_costs_its_own_run_only(fleet: Fleet) -> None:
    fouls = fleet.enqueue("foul")
    beside = [fleet.enqueue("add", numbers=[n, 1]) for n in range(6)]

    row = fleet.ends(fouls)
    assert (row["status"], row["reason"], row["error"]["code"]) == ("FAILED", "crashed", "crashed")
    assert row["error"]["step"].startswith("fouling")
    assert (row["crashes"], len(fleet.effects(f"foul {fouls}"))) == (3, 3)
    assert [fleet.result(run) for run in beside] == [n + 1 for n in range(6)]


def test_what_one_run_prints_is_in_its_own_log_whole_and_in_no_other(fleet: Fleet) -> None:
    """The last line before the end counts too, and one without an end of line; hosts are reused from run to run."""
    runs = {}
    for n in range(30):
        ending = "\n" if n % 2 else ""
        runs[fleet.enqueue("chat", words=[f"<{n}>"] * 50, ending=ending)] = f"<{n}>"
    for run in runs:
        fleet.result(run)
    for run, word in runs.items():
        fleet.until(
            lambda run=run, word=word: "".join(fleet.log(run)) == word * 50, f"the log of {run} is {word} alone", 3
        )


def test_a_child_that_holds_the_channel_open_hides_no_death(fleet: Fleet) -> None:
    run = fleet.enqueue("adopt")

    row = fleet.ends(run)

    assert (row["status"], row["reason"], row["crashes"]) == ("FAILED", "crashed", 3)
    children = [int(line.split()[1]) for line in fleet.effects("child")]
    fleet.until(lambda: all(map(pid_is_gone, children)), "the children end", 5)


def test_a_dead_hosts_children_are_ended_with_it(fleet: Fleet) -> None:
    run = fleet.enqueue("leave")
    assert fleet.ends(run)["status"] == "FAILED"
    children = [int(line.split()[2]) for line in fleet.effects(f"leave {run}")]
    assert len(children) == 3
    fleet.until(lambda: all(map(pid_is_gone, children)), "the children end", 5)


def test_concurrent_steps_of_all_sizes_are_recorded_once_and_recalled(fleet: Fleet) -> None:
    run = fleet.enqueue("juggle", count=30)

    expected = sum(200_000 if n % 3 == 0 else 10 for n in range(30)) + sum(range(30))
    assert fleet.result(run) == expected
    row = fleet.run(run)
    assert (row["crashes"], row["activations"], row["step_count"]) == (1, 2, 60)
    done = {event["data"]["step"]["key"] for event in fleet.events(run, "step")}
    assert len(done) == 60


def test_tickets_that_come_twice_execute_nothing_twice(fleet: Fleet) -> None:
    runs = [fleet.enqueue("add", numbers=list(range(5))) for _ in range(10)]
    app = Celery("doubling", set_as_current=False)
    app.conf.update(broker_settings(Settings(**_of(fleet))))
    doubled: set[Any] = set()

    def double() -> bool:
        rows = fleet.database.execute(
            "SELECT id, epoch, agent, queue, 9 AS ticket_n FROM run WHERE id = ANY(%s)", [runs]
        ).fetchall()
        with app.producer_pool.acquire() as producer:
            for row in rows:
                for epoch in (row["epoch"], row["epoch"] + 1, row["epoch"] - 1):
                    app.send_task(
                        TASK, producer=producer, ignore_result=True, **message(Ticket(**{**row, "epoch": epoch}))
                    )
                doubled.add((row["id"], row["epoch"]))
        return all(fleet.run(run)["status"] == "SUCCESS" for run in runs)

    fleet.until(double, "all runs end while their tickets come again and again")
    app.close()
    assert {epoch for _, epoch in doubled} >= {1}
    for run in runs:
        assert sorted(fleet.effects(f"add {run} ")) == sorted(f"add {run} {n}" for n in range(5))
        assert fleet.verbs(run) == ["enqueue", "start", "succeed"]


def test_a_broker_that_forgets_everything_costs_time_only(fleet: Fleet, worker: Process) -> None:
    out = "SELECT count(*) AS n FROM run WHERE ticket_at IS NOT NULL"
    fleet.until(lambda: psutil.Process(worker.pid).num_threads() and not fleet.one(out)["n"], "nothing is under way")
    worker.popen.send_signal(signal.SIGSTOP)  # so that the tickets are in the broker; far shorter than a lease
    try:
        runs = fleet.enqueue_many([NewRun("add", "default", json.dumps({"numbers": [n, 2]})) for n in range(40)])
        lying = "taxiway:default"
        fleet.until(
            lambda: fleet.one(out)["n"] == 3 and fleet.broker.llen(lying) >= 2, "most of three tickets lie there", 2
        )
        fleet.broker.flushdb()
    finally:
        worker.popen.send_signal(signal.SIGCONT)

    assert [fleet.result(run, 60) for run in runs] == [n + 2 for n in range(40)]
    for run in runs:
        assert fleet.verbs(run) == ["enqueue", "start", "succeed"]
    assert fleet.one("SELECT max(ticket_n) AS n FROM run")["n"] >= 2


def test_nothing_of_a_run_but_ids_is_said_in_the_logs(fleet: Fleet, worker: Process) -> None:
    secret = "sentinel-7f3a"
    run = fleet.enqueue("chat", words=[secret])
    fleet.result(run)
    failed = fleet.ends(fleet.enqueue("give_honestly", kind=secret))
    assert (failed["status"], secret in failed["error"]["message"]) == ("FAILED", True)
    fleet.until(lambda: secret in "".join(fleet.log(run)), "it was printed")
    for process in fleet.processes:
        assert secret not in process.said()
        assert "Traceback" not in process.said()


def _of(fleet: Fleet) -> dict[str, Any]:
    return {"database_url": fleet.database_url, "redis_url": fleet.redis_url, "secret_key": "k" * 16}
