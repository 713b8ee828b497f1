"""On a real worker no run meets leftovers of another: neither its threads and processes, nor a line that these print."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Servers
from tests.processes.fleet import Fleet, fleet_of, pid_is_gone

AGENTS = """
    def talk():
        while True:
            print("LEFT", flush=True)
            time.sleep(0.01)

    def leave():
        threading.Thread(target=talk, name="talker", daemon=True).start()
        child = subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do echo LEFT; sleep 0.01; done"])
        subprocess.run(["setsid", "-f", "sh", "-c", "while :; do echo LEFT; sleep 0.01; done"], check=True)
        return [os.getpid(), child.pid]

    @agent
    def leaves(run: Run) -> list[int]:
        return run.step(leave)

    @agent
    def looks(run: Run) -> list:
        print("mine", flush=True)
        return [os.getpid(), os.getcwd(), os.environ.get("LEFT")]

    @agent
    def spoils(run: Run) -> int:
        os.chdir("/")
        os.environ["LEFT"] = "yes"
        os.umask(0)
        return os.getpid()

    @agent
    def forks(run: Run) -> str:
        def parts():
            pid = os.fork()
            if pid == 0:
                print("of the child", flush=True)
                return "child"
            os.waitpid(pid, 0)
            return "parent"
        return run.step(parts)

    def hop():
        if os.fork() == 0:
            os.setsid()
            while True:
                if os.fork():
                    os._exit(0)
                with (LOG.parent / "hops").open("a") as hops:
                    hops.write("x")

    @agent
    def hops(run: Run):
        hop()
        time.sleep(600)

    @agent
    def vanishes(run: Run):
        hop()
        while not (LOG.parent / "hops").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), 9)

    @agent
    def detaches(run: Run):
        subprocess.run(["setsid", "-f", "sh", "-c", f"echo $$ > {LOG}.new; mv {LOG}.new {LOG}.pid; exec sleep 3600"], check=True)
        os.kill(os.getpid(), 19)
"""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    """Return a fleet with one worker of one slot."""
    with fleet_of(servers, template_database, shared_folder, tmp_path_factory.mktemp("fleet")) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        fleet.worker("w1")
        yield fleet


def _result(fleet: Fleet, agent: str) -> list[object]:
    result: list[object] = fleet.result(fleet.enqueue(agent))
    return result


def test_threads_and_processes_of_a_run_end_with_it_and_speak_in_no_other_log(fleet: Fleet) -> None:
    for _ in range(3):
        left = fleet.enqueue("leaves")
        host, child = fleet.result(left)
        fleet.until(lambda pid=host: pid_is_gone(pid), "the host is replaced")
        assert pid_is_gone(child)
        assert any("thread 'talker'" in line and "process" in line for line in fleet.log(left))
        looks = [fleet.enqueue("looks") for _ in range(3)]
        assert host not in [fleet.result(look)[0] for look in looks]
        assert [fleet.log(look) for look in looks] == [["mine"]] * 3
    said = [line for line in fleet.processes[-1].said().splitlines() if "host.replaced" in line]
    assert len(said) == 1
    assert "agent=leaves" in said[0]


def test_the_next_run_in_a_host_finds_its_folder_and_environment_as_they_were(fleet: Fleet) -> None:
    _, folder, _ = _result(fleet, "looks")
    spoilt = {fleet.result(fleet.enqueue("spoils")) for _ in range(2)}
    seen = [_result(fleet, "looks") for _ in range(4)]
    assert {pid for pid, *_ in seen} & spoilt, "a host is used again"
    assert [rest for _, *rest in seen] == [[folder, None]] * 4


def test_the_value_of_a_step_that_forked_is_the_parent_s(fleet: Fleet) -> None:
    run = fleet.enqueue("forks")
    assert fleet.result(run) == "parent"
    assert fleet.log(run) == ["of the child"]
    assert fleet.one("SELECT count(*) FROM step WHERE run_id = %s", run) == {"count": 1}


def test_a_worker_that_kills_a_host_kills_what_left_its_process_group(fleet: Fleet) -> None:
    run = fleet.enqueue("detaches")
    pid_file = fleet.folder / "effects.pid"
    fleet.until(pid_file.exists, "the process is detached")
    fleet.cancel(run, grace_ms=100)
    fleet.status(run, "CANCELED")
    fleet.until(lambda: pid_is_gone(int(pid_file.read_text())), "the detached process ends")


@pytest.mark.parametrize("agent", ["hops", "vanishes"])
def test_a_daemon_that_forks_itself_on_and_on_ends_with_its_host_also_if_that_killed_itself(
    fleet: Fleet, agent: str
) -> None:
    hops = fleet.folder / "hops"
    hops.unlink(missing_ok=True)
    run = fleet.enqueue(agent)
    fleet.until(hops.exists, "it hops")
    fleet.cancel(run, grace_ms=100)
    fleet.status(run, "CANCELED")

    def stands_still() -> bool:
        before = hops.stat().st_size
        time.sleep(0.3)  # a living one has hopped a hundred times by then
        return before == hops.stat().st_size

    fleet.until(stands_still, "it has ended")
