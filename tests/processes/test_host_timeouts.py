"""A real host interrupts a step that takes too long, and only that step."""

from __future__ import annotations

from pathlib import Path

from tests.processes.host_driver import Host, Run, agents_file


def test_a_step_that_takes_too_long_is_interrupted_recorded_and_tried_again_and_its_host_ends(tmp_path: Path) -> None:
    source = """
    @step(timeout="200ms", retry=Retry(2, initial="1ms"))
    def slow():
        if taxiway.step_info().attempt == 1:
            try:
                time.sleep(3600)
            except Exception:
                return "swallowed"
        return "quick"

    @agent
    def main(run: Run):
        return run.step(slow)
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(run) == "quick"
        assert host.exit_code() == 0, "a host whose step was interrupted carries no other run"
        host.ends()
    (failed,) = host.of_kind("step_failed")
    assert (failed["error"]["code"], failed["final"]) == ("timeout", False)
    assert host.of_kind("step_started")[0]["timeoutMs"] == 200
    assert not host.of_kind("idle")


def test_a_step_that_times_out_finally_fails_the_run_with_that_code(tmp_path: Path) -> None:
    source = """
    @agent
    def main(run: Run):
        def spin():
            while True:
                try:
                    while True: pass
                except BaseException:
                    break
            return "whatever"
        run.using(timeout=0.1).step(spin)
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        end = host.carry(run)
    assert (end["error"]["code"], end["error"]["step"]) == ("timeout", "spin")


def test_a_timeout_of_a_once_step_is_never_followed_by_another_attempt(tmp_path: Path) -> None:
    source = """
    @step(timeout="100ms", once=True, retry=Retry(5, initial="1ms"))
    def pay():
        time.sleep(3600)

    @agent
    def main(run: Run):
        run.step(pay)
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.carry(run)["error"]["code"] == "timeout"
    assert len(host.of_kind("step_started")) == 1


def test_a_step_ending_just_within_its_time_leaves_no_interrupt_behind(tmp_path: Path) -> None:
    source = """
    @agent
    def main(run: Run):
        for n in range(50):
            try:
                run.using(timeout=0.004).step(time.sleep, 0.0036 + n / 100000)
            except StepFailed as failed:
                assert failed.code == "timeout", failed
        time.sleep(0.05)
        return "calm"
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(Run("main")) == "calm"
