"""A real host repeats a step as often as its policy allows, and a once step never without knowing its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes.host_driver import Host, Run, agents_file, wait_until
from tests.processes.host_effects import EFFECT, effects


def test_a_failing_step_is_tried_again_and_each_failure_is_recorded_before_the_next_attempt(tmp_path: Path) -> None:
    source = """
    @step(retry=Retry(attempts=3, initial="1ms"))
    def flaky() -> int:
        info = taxiway.step_info()
        if info.attempt < 3:
            raise ValueError(f"attempt {info.attempt}")
        return info.attempt

    @agent
    def main(run: Run):
        return run.step(flaky)
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        host.activate(run)
        failed = host.serve(run, until=lambda frame: frame["frame"] == "step_failed")
        assert failed["error"] == {"type": "ValueError", "message": "attempt 1", "code": "step_error"}
        assert (failed["final"], failed["attempts"]) == (False, 1)
        assert 0 < failed["retryInMs"] < 3 or failed["retryInMs"] == 1
        assert host.channel.recv(0.1) is None, "the next attempt waits for the acknowledgement"
        host.answer(run, failed)
        assert host.serve(run)["frame"] == "finish"
    assert run.value("flaky") == 3
    assert [frame["n"] for frame in host.frames if "n" in frame] == list(range(1, 7 + 1))


def test_attempts_go_on_after_a_kill_and_are_not_counted_anew(tmp_path: Path) -> None:
    source = """
    @step(retry=Retry(attempts=3, initial="1ms"))
    def hopeless():
        raise ValueError(f"attempt {taxiway.step_info().attempt}")

    @agent
    def main(run: Run):
        run.step(hopeless)
    """
    agents, run = agents_file(tmp_path, source), Run("main")
    with Host(agents) as host:
        host.hello()
        host.activate(run)
        host.answer(run, host.serve(run, until=lambda frame: frame["frame"] == "step_failed"))
        host.kill()
    with Host(agents) as host:
        host.hello()
        end = host.carry(run)
    assert [frame["attempts"] for frame in host.of_kind("step_failed")] == [2, 3]
    assert end["error"]["code"] == "step_error"
    assert (end["error"]["step"], end["error"]["attempts"], end["error"]["message"]) == ("hopeless", 3, "attempt 3")


def test_a_step_that_failed_finally_fails_the_same_way_in_every_replay(tmp_path: Path) -> None:
    source = """
    def broken():
        raise KeyError("x")

    @agent
    def main(run: Run):
        try:
            run.step(broken)
        except StepFailed as failed:
            return [failed.step, failed.attempts, failed.type, failed.message, failed.code, failed.__cause__ is None]
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        first = host.result(run)
        host.next()
        assert host.result(run) == first == ["broken", 1, "KeyError", "'x'", "step_error", True]
        assert len(host.of_kind("step_failed")) == 1


@pytest.mark.parametrize(
    ("raises", "attempts"),
    [("taxiway.Fatal('no')", 1), ("taxiway.RetryAfter('1ms')", 3), ("KeyError(1)", 1), ("SystemExit(2)", 1)],
)
def test_what_a_step_raises_decides_about_another_attempt(tmp_path: Path, raises: str, attempts: int) -> None:
    source = f"""
    @step(retry=Retry(attempts=3, initial="1h", on=ValueError))
    def work():
        raise {raises}

    @agent
    def main(run: Run):
        run.step(work)
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        end = host.carry(run)
        assert (end["error"]["code"], end["error"]["attempts"]) == ("step_error", attempts)
        assert host.next()["frame"] == "idle", "a step's error is no reason to end the host"


def test_once_is_recorded_before_the_step_begins_and_never_begun_again_when_its_end_is_unknown(tmp_path: Path) -> None:
    source = (
        EFFECT
        + """
    @step(once=True)
    def pay():
        effect("paid")
        time.sleep(3600)

    @agent
    def main(run: Run):
        try:
            run.step(pay)
        except BaseException:
            run.log("swallowed")
        return "done"
    """
    )
    agents, run = agents_file(tmp_path, source), Run("main")
    with Host(agents) as host:
        host.hello()
        host.activate(run)
        started = host.serve(run, until=lambda frame: frame["frame"] == "step_started")
        assert started["once"]
        assert host.channel.recv(0.1) is None
        assert effects(tmp_path) == [], "nothing begins before the intent is recorded"
        host.answer(run, started)
        wait_until(lambda: effects(tmp_path))
        host.kill()
    with Host(agents) as host:
        host.hello()
        end = host.carry(run)
    assert end["frame"] == "fail", "what the agent returns after that is discarded"
    assert (end["error"]["code"], end["error"]["step"]) == ("once_unknown", "pay")
    assert effects(tmp_path) == ["paid"]


def test_a_once_step_that_ends_is_an_ordinary_step(tmp_path: Path) -> None:
    source = """
    @step(once=True, retry=Retry(2, initial="1ms"))
    def pay():
        if taxiway.step_info().attempt == 1:
            raise ValueError
        return "paid"

    @agent
    def main(run: Run):
        return run.step(pay)
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(run) == "paid"
        host.next()
        assert host.result(run) == "paid"
