"""A restarted run: its successor starts at the moment of its end, and a waiting parent receives the last result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from models.runs.enqueue import NewRun
from tests.conftest import Servers
from tests.processes.fleet import Fleet, fleet_of

AGENTS = """
    import taxiway

    def said(run, what):
        effect(f"{run.id} {what}")
        return what

    @agent
    def countdown(run: Run, n: int, then: str = "done"):
        run.using(name="say").step(said, run, n)
        if n:
            try:
                run.restart(n=n - 1, then=then)
            except Exception:
                effect("swallowed")
            finally:
                try:
                    run.step(said, run, "after")
                except BaseException:
                    pass
        return then

    @agent
    async def acountdown(run: AsyncRun, n: int):
        async def again():
            await run.restart(n=n - 1)
        if n:
            async with asyncio.TaskGroup() as group:
                group.create_task(again())
        return "done"

    @agent
    def parent(run: Run, n: int):
        return run.spawn("countdown", {"n": n, "then": "the last"}, key="down").result()

    @agent
    def wrong(run: Run, n: int = 0, given: str = "{}"):
        try:
            run.restart(**json.loads(given))
        except (taxiway.TaxiwayError, ValueError) as error:
            return str(error)

    @agent
    def failing(run: Run, n: int):
        if n:
            run.restart(n=n - 1)
        raise ValueError("at last")

    @agent
    def hopes(run: Run):
        run.spawn("failing", {"n": 2}).result()

    @agent
    def polls(run: Run, seen: list[int] = []):
        for _ in range(2):
            seen.append(run.wait_for("word"))
        if len(seen) < 4:
            run.restart(seen=seen)
        return seen

    def block(run):
        effect(f"blocked {run.id}")
        time.sleep(1.5)

    @agent
    def stubborn(run: Run, n: int = 0):
        run.using(name="block").step(block, run)
        run.restart(n=n + 1)

    @agent
    async def astubborn(run: AsyncRun, n: int = 0):
        if n:
            return n
        async def long():
            try:
                await run.wait_for("never")
            except BaseException:
                await asyncio.sleep(3600)
        asyncio.create_task(long())
        await run.restart(n=1)
"""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("restart")
    with fleet_of(servers, template_database, shared_folder, folder) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        fleet.worker("only", slots=2)
        yield fleet


def _chain(fleet: Fleet, run: UUID, seconds: float = 30) -> list[dict[str, Any]]:
    """Return the run and its successors, each after its end."""
    rows = [fleet.ends(run, seconds)]
    while rows[-1]["continued_as"]:
        rows.append(fleet.ends(rows[-1]["continued_as"], seconds))
    return rows


def test_a_run_begins_anew_with_all_that_it_was_given(fleet: Fleet) -> None:
    new = NewRun(
        "countdown", "default", '{"n": 1}', priority=3, timeout_ms=90_000, user_id="u-1", metadata={"team": "a"},
        tags=["nightly"], approval_strategy="ON_TOOL_CALL",
    )  # fmt: skip
    run = fleet.enqueue_many([new])[0]
    first, last = _chain(fleet, run)
    assert (first["status"], first["result"], last["result"]) == ("SUCCESS", None, "done")
    kept = ("tenant", "agent", "queue", "priority", "timeout_ms", "user_id", "approval_strategy", "created_by")
    assert [last[name] for name in kept] == [first[name] for name in kept]
    labels = "SELECT kind, name, value FROM label WHERE run_id = %s ORDER BY name"
    assert fleet.database.execute(labels, [last["id"]]).fetchall() == [
        {"kind": "tag", "name": "nightly", "value": ""}, {"kind": "metadata", "name": "team", "value": "a"},
    ]  # fmt: skip
    [end] = [event["data"] for event in fleet.events(run, "end")]
    assert end["continuedAs"] == str(last["id"])


def test_no_agent_code_gets_past_a_restart(fleet: Fleet) -> None:
    run = fleet.enqueue("countdown", n=1)
    rows = _chain(fleet, run)
    assert len(rows) == 2
    assert fleet.effects(str(run)) == [f"{run} 1"]
    assert fleet.effects("swallowed") == []


def test_async_agents_begin_anew_from_any_task(fleet: Fleet) -> None:
    rows = _chain(fleet, fleet.enqueue("acountdown", n=3))
    assert ([row["result"] for row in rows], rows[-1]["crashes"]) == ([None, None, None, "done"], 0)


def test_an_async_agent_whose_tasks_do_not_end_is_restarted_without_them(fleet: Fleet) -> None:
    rows = _chain(fleet, fleet.enqueue("astubborn"))
    assert [row["result"] for row in rows] == [None, 1]


def test_a_parent_hears_of_the_last_of_fifty(fleet: Fleet) -> None:
    run = fleet.enqueue("parent", n=50)
    assert fleet.result(run, 60) == "the last"
    chain = fleet.database.execute("SELECT * FROM run WHERE parent_run_id = %s ORDER BY id", [run]).fetchall()
    assert len(chain) == 51
    assert [row["continued_as"] for row in chain] == [row["id"] for row in chain[1:]] + [None]
    assert {row["parent_key"] for row in chain} == {"spawn:countdown/down##1/0"}
    assert (fleet.run(run)["activations"], fleet.run(run)["children"]) == (2, 1)


def test_a_failure_of_the_last_reaches_the_parent(fleet: Fleet) -> None:
    row = fleet.ends(fleet.enqueue("hopes"))
    assert (row["status"], row["error"]["code"]) == ("FAILED", "child_failed")
    assert "at last" in row["error"]["message"]


@pytest.mark.parametrize(
    ("given", "says"),
    [('{"n": "x"}', "$.n: expected"), ('{"other": 1}', "$.other: agent 'wrong' has no such input")],
)
def test_an_input_that_the_agent_does_not_take_is_refused_there(fleet: Fleet, given: str, says: str) -> None:
    run = fleet.enqueue("wrong", given=given)
    assert says in fleet.result(run)
    assert fleet.run(run)["continued_as"] is None


def test_what_was_sent_and_not_consumed_goes_with_it(fleet: Fleet) -> None:
    run = fleet.enqueue("polls")
    for n in range(5):
        fleet.signal(run, "word", n)
    assert _chain(fleet, run)[-1]["result"] == [0, 1, 2, 3]


def test_a_cancel_ends_a_run_that_would_begin_anew(fleet: Fleet) -> None:
    run = fleet.enqueue("stubborn")
    fleet.until(lambda: fleet.effects(f"blocked {run}"), "it is in its step")
    fleet.cancel(run, grace_ms=5000)
    assert (fleet.ends(run)["status"], fleet.run(run)["continued_as"]) == ("CANCELED", None)


def test_a_pause_holds_a_run_that_would_begin_anew(fleet: Fleet) -> None:
    run = fleet.enqueue("stubborn")
    fleet.until(lambda: fleet.effects(f"blocked {run}"), "it is in its step")
    fleet.pause(run)
    assert fleet.status(run, "PAUSED")["pause_kind"] == "user"
    fleet.resume(run)
    assert fleet.ends(run)["continued_as"] is not None
    fleet.cancel(fleet.run(run)["continued_as"])
