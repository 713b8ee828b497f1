"""A real host executes `def` agents: steps, attempts, records, replays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.processes.host_driver import Host, Run, agents_file, wait_until


def effects(tmp_path: Path) -> list[str]:
    """Return what steps wrote to a file outside of Taxiway."""
    log = tmp_path / "effects"
    return log.read_text().split() if log.exists() else []


EFFECT = """
    LOG = Path(__file__).parent / "effects"

    def effect(what):
        with LOG.open("a") as log:
            log.write(f"{what}\\n")
"""


def test_a_hello_lists_each_agent_with_its_queue_schema_and_digest(tmp_path: Path) -> None:
    source = """
    @agent(name="refund", queue="money", timeout="15m")
    def refund_it(run: Run, order_id: str, amount: float = 1.0) -> None:
        "Refund an order."

    @agent
    async def crawl(run: AsyncRun, urls: list[str]) -> None: ...
    """
    with Host(agents_file(tmp_path, source)) as host:
        hello = host.hello()
    assert (hello["protocol"], hello["pid"]) == (1, host.process.pid)
    refund, crawl = hello["agents"]
    assert (refund["name"], refund["queue"], refund["timeoutMs"]) == ("refund", "money", 900_000)
    assert (refund["description"], refund["isAsync"], crawl["isAsync"]) == ("Refund an order.", False, True)
    assert refund["schema"]["required"] == ["order_id"]
    assert crawl["schema"]["properties"] == {"urls": {"type": "array", "items": {"type": "string"}}}
    assert len(refund["digest"]) == 16


def test_a_replay_executes_nothing_that_is_recorded_and_returns_the_same_objects(tmp_path: Path) -> None:
    source = (
        EFFECT
        + """
    import dataclasses

    @dataclasses.dataclass
    class Order:
        id: str
        lines: tuple[int, ...]

    def fetch(id: str) -> Order:
        effect(id)
        return Order(id, (1, 2))

    @agent
    def main(run: Run):
        order = run.step(fetch, "A7")
        again = run.step(fetch, id="A7")
        return [order.id, list(order.lines), type(order.lines).__name__, again == order]
    """
    )
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        first = host.result(run)
        assert host.next()["frame"] == "idle"
        seen = len(host.frames)
        assert host.result(run) == first == ["A7", [1, 2], "tuple", True]
        assert [frame["frame"] for frame in host.frames[seen:]] == ["finish"]
    assert effects(tmp_path) == ["A7", "A7"]
    assert {step["occurrence"] for step in run.steps.values()} == {1}, "positional and named arguments differ"


def test_equal_calls_are_told_apart_by_their_order(tmp_path: Path) -> None:
    source = """
    counter = 0
    def tick() -> int:
        global counter
        counter += 1
        return counter

    @agent
    def main(run: Run):
        return [run.step(tick), run.step(tick), run.using(name="pinned").step(tick)]
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(run) == [1, 2, 3]
        host.next()
        assert host.result(run) == [1, 2, 3]
    assert list(run.steps)[2] == "pinned##1"
    assert [key.split("#")[2] for key in run.steps] == ["1", "2", "1"]


def test_a_host_killed_in_a_step_leaves_the_recorded_ones_alone(tmp_path: Path) -> None:
    source = (
        EFFECT
        + """
    def work(n: int) -> int:
        effect(n)
        if n == 2 and not (LOG.parent / "second").exists():
            (LOG.parent / "second").touch()
            time.sleep(3600)
        return n * 10

    @agent
    def main(run: Run):
        return [run.step(work, n) for n in range(4)]
    """
    )
    agents, run = agents_file(tmp_path, source), Run("main")
    with Host(agents) as host:
        host.hello()
        host.activate(run)
        host.serve(run, until=lambda frame: frame["frame"] == "step_started" and len(run.steps) == 2)
        wait_until((tmp_path / "second").exists)
        host.kill()
    with Host(agents) as host:
        host.hello()
        assert host.result(run) == [0, 10, 20, 30]
    assert effects(tmp_path) == ["0", "1", "2", "2", "3"]


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


def test_a_new_step_before_recorded_ones_is_a_code_mismatch_that_no_agent_code_can_swallow(tmp_path: Path) -> None:
    old = """
    def first(): return 1
    def second(): return 2

    @agent
    def main(run: Run):
        run.step(first)
        run.step(second)
        raise SystemExit
    """
    new = """
    def first(): return 1
    def inserted(): (Path(__file__).parent / "executed").touch()

    @agent
    def main(run: Run):
        run.step(first)
        for _ in range(3):
            try:
                run.step(inserted)
            except BaseException:
                pass
        return "went on"
    """
    run = Run("main")
    with Host(agents_file(tmp_path, old)) as host:
        host.hello()
        assert host.carry(run)["error"]["type"] == "SystemExit"
    with Host(agents_file(tmp_path, new)) as host:
        host.hello()
        end = host.carry(run)
    assert end["error"]["code"] == "code_mismatch"
    assert "'inserted'" in end["error"]["message"]
    assert "'second'" in end["error"]["message"]
    assert not (tmp_path / "executed").exists()


def test_a_step_appended_after_all_recorded_ones_is_no_mismatch(tmp_path: Path) -> None:
    source = "@agent\ndef main(run: Run):\n    return [run.step(int, n) for n in range({n})]\n"
    run = Run("main")
    with Host(agents_file(tmp_path, source.format(n=2))) as host:
        host.hello()
        host.result(run)
    with Host(agents_file(tmp_path, source.format(n=3))) as host:
        host.hello()
        assert host.result(run) == [0, 1, 2]
        assert [frame["key"].split("#")[0] for frame in host.of_kind("step")] == ["int"]


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


def test_a_large_recorded_value_is_recalled_when_it_is_needed(tmp_path: Path) -> None:
    source = """
    def page() -> str:
        return "ü" * 40_000

    @agent
    def main(run: Run):
        return len(run.step(page))
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(run) == 40_000
        host.next()
        assert host.result(run) == 40_000
    assert len(host.of_kind("recall")) == 1
    assert len(host.of_kind("step")) == 1


def test_the_idempotency_key_of_a_step_is_the_same_in_every_attempt_and_host_and_no_other_s(tmp_path: Path) -> None:
    source = """
    @step(retry=Retry(2, initial="1ms"))
    def key(n):
        info = taxiway.step_info()
        with (Path(__file__).parent / "keys").open("a") as keys:
            keys.write(f"{info.idempotency_key}\\n")
        if info.attempt == 1:
            raise ValueError
        return info.idempotency_key

    @agent
    def main(run: Run):
        return [run.step(key, 1), run.step(key, 2)]
    """
    agents = agents_file(tmp_path, source)
    with Host(agents) as host:
        host.hello()
        one, two = host.result(Run("main", run_id="a"))
    with Host(agents) as host:
        host.hello()
        assert host.result(Run("main", run_id="a")) == [one, two]
        host.next()
        other, _ = host.result(Run("main", run_id="b"))
    assert (tmp_path / "keys").read_text().split()[:4] == [one, one, two, two]
    assert len({one, two, other}) == 3


def test_verbs_reach_the_worker_with_their_step_and_attempt(tmp_path: Path) -> None:
    source = """
    def work():
        taxiway.log("in step", level="warning")
        taxiway.emit("page", {"n": 1})
        taxiway.progress(1, 2)
        assert not taxiway.cancelled()

    @agent
    def main(run: Run):
        run.step(work)
        run.log("a\\0b\\udc80")
        run.emit("done", [1], durable=True)
        run.progress(3, 4, "half")
        return [run.id, run.user_id, dict(run.metadata), run.activation]
    """
    run = Run("main")
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(run) == ["run-1", "u-7", {"team": "a"}, 1]
    in_step, in_agent = host.of_kind("log")
    (key,) = run.steps
    assert (in_step["message"], in_step["level"], in_step["step"], in_step["attempt"]) == ("in step", "warning", key, 1)
    assert (in_agent["message"], in_agent["step"]) == ("a\\0b\\udc80", None)
    events = [(event["type"], json.loads(event["data"]), event["durable"]) for event in host.of_kind("event")]
    assert events == [
        ("agent", {"type": "page", "data": {"n": 1}}, False),
        ("progress", {"done": 1, "total": 2, "note": None}, False),
        ("agent", {"type": "done", "data": [1]}, True),
        ("progress", {"done": 3, "total": 4, "note": "half"}, False),
    ]


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("run.step(lambda: 1)", "agent_error", "lambda has no name"),
        ("run.step(__import__('functools').partial(int, 1))", "agent_error", "has no name"),
        ("run.step(run.log, 'x')", "step_error", "run.log was called inside step"),
        ("run.no_such_verb()", "agent_error", "no attribute 'no_such_verb'"),
        ("taxiway.log('x')", "agent_error", "works inside a step only"),
        ("run.step(fetch)", "step_error", "make the agent async def"),
        ("run.step(3)", "agent_error", "cannot be called"),
        ("in_thread(lambda: run.step(int))", "agent_error", "in a thread of the agent's own"),
        ("sys.exit('bye')", "agent_error", "bye"),
        ("run.emit('x', 'y' * 70_000)", "agent_error", "65,536 are allowed"),
        ("raise ValueError('a\\0b')", "agent_error", "a\\0b"),
        ("raise Odd", "agent_error", "its message cannot be read"),
        ("return {1, 2}", "invalid_output", "the agent returned $: set is not JSON"),
        ("return 'x' * 2_000_000", "output_too_large", "1,048,576 are allowed"),
    ],
)
def test_each_misuse_ends_the_run_with_its_code_and_a_sentence(tmp_path: Path, body: str, code: str, says: str) -> None:
    source = f"""
    from concurrent.futures import ThreadPoolExecutor

    async def fetch(): ...

    class Odd(Exception):
        def __str__(self): raise RuntimeError

    def in_thread(code):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(code).result()

    @agent
    def main(run: Run):
        {body}
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        end = host.carry(Run("main"))
        assert end["frame"] == "fail"
        assert end["error"]["code"] == code
        assert says in end["error"]["message"]
        assert host.next()["frame"] == "idle"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("{'rows': [1, 2, 3, {'price': float('nan')}]}", "step 'work' returned $.rows[3].price: NaN is not JSON"),
        ("[float('inf')]", "$[0]: Infinity is not JSON"),
        ("'a\\0b'", "$: text contains the NUL character"),
        ("{'a b': '\\udc80'}", '$["a b"]: text contains half a surrogate pair'),
        ("{'x': {1, 2}}", "$.x: set is not JSON"),
        ("{1: 2}", "$: key 1 is int, JSON keys are text"),
        ("endless()", "is nested deeper than 200 levels"),
        ("object()", "$: object is not JSON"),
    ],
)
def test_a_value_that_json_cannot_hold_is_refused_with_its_place_and_never_retried(
    tmp_path: Path, value: str, says: str
) -> None:
    source = f"""
    def endless():
        a = []
        a.append(a)
        return a

    @step(retry=Retry(5, initial="1h"))
    def work():
        return {value}

    @agent
    def main(run: Run):
        run.step(work)
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        end = host.carry(Run("main"))
    assert (end["error"]["code"], end["error"]["attempts"]) == ("invalid_output", 1)
    assert says in end["error"]["message"]


def test_a_value_that_is_too_large_is_refused_and_never_retried(tmp_path: Path) -> None:
    source = """
    @step(retry=Retry(5, initial="1h"))
    def work():
        return "x" * 1000

    @agent
    def main(run: Run):
        run.step(work)
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        end = host.carry(Run("main"), value=1000)
    assert (end["error"]["code"], end["error"]["attempts"]) == ("output_too_large", 1)
    assert "1,002 bytes" in end["error"]["message"]


def test_a_refused_step_is_a_failed_step_and_a_refused_result_a_failed_run(tmp_path: Path) -> None:
    source = """
    @agent
    def main(run: Run):
        try:
            return run.step(int, 7)
        except StepFailed as failed:
            return failed.code
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        host.refuse = {"step": ("output_too_large", "too much")}
        assert host.result(Run("main")) == "output_too_large"
        host.next()
        host.refuse = {"finish": ("output_too_large", "too much")}
        host.activate(Run("main"))
        assert host.serve(Run("main"))["frame"] == "finish"
        assert host.serve(Run("main"))["error"]["code"] == "output_too_large"


def test_a_run_whose_history_is_full_halts(tmp_path: Path) -> None:
    source = """
    @agent
    def main(run: Run):
        try:
            return run.step(int, 7)
        except BaseException:
            return "swallowed"
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        host.refuse = dict.fromkeys(("step", "step_failed"), ("history_limit", "10,000 steps are allowed"))
        assert host.carry(Run("main"))["error"]["code"] == "history_limit"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"amount": "much"}, "$.amount: expected a number, got text"),
        ({}, "$.amount: is missing"),
        ({"amount": 1, "colour": "red"}, "$.colour: agent 'main' has no such input"),
    ],
)
def test_input_that_does_not_fit_fails_the_run_before_the_agent_begins(
    tmp_path: Path, given: dict[str, object], says: str
) -> None:
    source = "@agent\ndef main(run: Run, amount: float): run.step(int)\n"
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        end = host.carry(Run("main", given))
        assert end["error"]["code"] == "invalid_input"
        assert says in end["error"]["message"]
        assert not host.of_kind("step_started")


def test_the_traceback_of_an_error_shows_the_agent_s_own_lines_only(tmp_path: Path) -> None:
    source = """
    def work():
        raise ValueError("here")

    @agent
    def main(run: Run):
        run.step(work)
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        report = host.carry(Run("main"))["error"]["traceback"]
    assert 'raise ValueError("here")' in report
    assert "main_thread.py" not in report
