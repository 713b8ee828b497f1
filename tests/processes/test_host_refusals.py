"""A real host ends a run that misuses it, or whose values cannot be stored, with a code and a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.json_schema.violations import violations
from tests.processes.host_driver import Host, Run, agents_file


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


def test_what_a_model_asks_for_beyond_its_schema_fails_the_run_before_the_agent_begins(tmp_path: Path) -> None:
    source = """
    import pydantic

    class Order(pydantic.BaseModel):
        items: list[int]

        @pydantic.field_validator("items")
        @classmethod
        def _are_even(cls, items):
            if any(item % 2 for item in items):
                raise ValueError("only pairs are sold")
            return items

    @agent
    def main(run: Run, order: Order): run.step(int)
    """
    given = {"order": {"items": [2, 3]}}
    with Host(agents_file(tmp_path, source)) as host:
        schema = host.hello()["agents"][0]["schema"]
        assert violations(given, json.dumps(schema), "input", "the agent") == []
        end = host.carry(Run("main", given))
        assert end["error"]["code"] == "invalid_input"
        assert end["error"]["message"] == "agent 'main': $.order.items: Value error, only pairs are sold"
        assert not host.of_kind("step_started")
