"""A real host reports to its worker its agents, their messages, and the places of their failures."""

from __future__ import annotations

import json
from pathlib import Path

from tests.processes.host_driver import Host, Run, agents_file


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
    assert (hello["protocol"], hello["pid"]) == (2, host.process.pid)
    refund, crawl = hello["agents"]
    assert (refund["name"], refund["queue"], refund["timeoutMs"]) == ("refund", "money", 900_000)
    assert (refund["description"], refund["isAsync"], crawl["isAsync"]) == ("Refund an order.", False, True)
    assert refund["schema"]["required"] == ["order_id"]
    assert crawl["schema"]["properties"] == {"urls": {"type": "array", "items": {"type": "string"}}}
    assert len(refund["digest"]) == 16


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
    assert "def_player.py" not in report
