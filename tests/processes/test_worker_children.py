"""A run that starts others: each once, whatever happens to it; results, failures and cancels are passed on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from models.runs.enqueue import NewRun
from tests.conftest import Servers
from tests.processes.fleet import Fleet, fleet_of

AGENTS = """
    import dataclasses
    import taxiway
    from taxiway import ChildFailed

    def twice(n):
        if n < 0:
            raise ValueError("negative")
        return 2 * n

    def said(run, what):
        effect(f"{run.id} {what}")
        return what

    @agent
    def double(run: Run, n: int):
        effect(f"child {run.user_id} {n}")
        return run.step(twice, n)

    @agent
    def one(run: Run, n: int = 4):
        child = run.spawn("double", {"n": n}, key="only", priority=7)
        run.using(name="between").step(said, run, "between")
        return [child.run_id, child.agent, child.result()]

    @agent
    def spread(run: Run, count: int, return_errors: bool = False, negative: int = 0):
        inputs = [{"n": -n if n < negative else n} for n in range(1, count + 1)]
        got = run.gather(*run.map(double, inputs), return_errors=return_errors)
        return [repr(value.status) if isinstance(value, ChildFailed) else value for value in got]

    @dataclasses.dataclass
    class Page:
        url: str

    @agent
    def read_page(run: Run, url: str) -> Page:
        return Page(url)

    @agent
    async def pages(run: AsyncRun):
        got = [*await run.map_results(read_page, [{"url": "/a"}]), await (await run.spawn("read_page", {"url": "/b"}))]
        return [page.url for page in got]

    @agent
    async def aspread(run: AsyncRun, count: int):
        children = await run.map("double", [{"n": n} for n in range(count)])
        one, two = await asyncio.gather(run.spawn("double", {"n": 100}), run.spawn("double", {"n": 100}))
        assert one.run_id != two.run_id
        return [sum(await run.gather(*children)), await one, await two]

    @agent
    def unstarted(run: Run):
        child, other = run.child("double", {"n": 1}), run.spawn("double", {"n": 2})
        run.using(name="between").step(said, run, "between")
        both = run.gather(child, run.child(other), run.timer(0.01))
        return [both, run.first(child, other).value in (2, 4)]

    @agent
    def wrong(run: Run):
        seen = []
        for options in ({"agent": "doubel"}, {"agent": "double", "queue": "nowhere"}):
            try:
                run.spawn(input={"n": 1}, **options)
            except taxiway.StepFailed as failed:
                seen.append([failed.code, failed.message])
        for call in (lambda: run.spawn("double", [1]), lambda: run.spawn("double", priority=101),
                     lambda: run.map("double", [{}] * 5001), lambda: run.spawn(print), lambda: run.spawn("double", {"n": {1}})):
            try:
                call()
            except (TypeError, ValueError, taxiway.TaxiwayError) as error:
                seen.append(str(error))
        run.sleep(0.05)
        return seen

    @agent
    def level(run: Run, depth: int, width: int = 2):
        if depth == 0:
            effect(f"leaf {run.id}")
            run.wait_for("never")
        run.gather(*run.map("level", [{"depth": depth - 1}] * width))

    def block(run):
        effect(f"blocked {run.id}")
        time.sleep(60)

    @agent
    def busy(run: Run):
        run.using(name="block").step(block, run)

    @agent
    def keeps_busy(run: Run):
        child = run.spawn("busy")
        child.result()

    @agent
    def many(run: Run, count: int):
        return sum(run.gather(*run.map("quick", [{"n": n} for n in range(count)])))

    @agent
    def quick(run: Run, n: int):
        return n

    @agent
    def racing(run: Run):
        slow, fast = run.spawn("waits"), run.spawn("double", {"n": 5})
        index, value = run.first(slow, fast)
        return [index, value]

    def die_once(run):
        mark = Path(__file__).parent / f"died-{run.id}"
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)
        return "alive"

    @agent
    def survivor(run: Run):
        children = run.map("double", [{"n": n} for n in range(3)])
        alive = run.using(name="die").step(die_once, run)
        return [alive, *run.gather(*children), *[child.run_id for child in children]]

    @agent
    def endless(run: Run):
        return run.spawn("endless").result()

    @agent
    def waits(run: Run):
        return run.wait_for("go")
"""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("children")
    with fleet_of(servers, template_database, shared_folder, folder) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        fleet.worker("only", slots=4)
        yield fleet


def _children(fleet: Fleet, parent: UUID) -> list[dict[str, Any]]:
    return fleet.database.execute("SELECT * FROM run WHERE parent_run_id = %s ORDER BY id", [parent]).fetchall()


def _enqueue(fleet: Fleet, agent: str, text: str = "{}", **options: Any) -> UUID:
    return fleet.enqueue_many([NewRun(agent, "default", text, **options)])[0]


def test_a_child_inherits_what_it_should_and_hands_over_its_result(fleet: Fleet) -> None:
    run = _enqueue(
        fleet, "one", user_id="u-1", tags=["nightly", "b"], metadata={"team": "a"}, approval_strategy="ON_TOOL_CALL"
    )
    result = fleet.result(run)
    [child] = _children(fleet, run)
    assert result == [str(child["id"]), "double", 8]
    assert (child["tenant"], child["user_id"], child["priority"]) == (fleet.run(run)["tenant"], "u-1", 7)
    assert (child["parent_key"], child["approval_strategy"]) == ("spawn:double/only##1/0", "ON_TOOL_CALL")
    labels = fleet.database.execute("SELECT name FROM label WHERE run_id = %s ORDER BY 1", [child["id"]]).fetchall()
    assert [label["name"] for label in labels] == ["b", "nightly"]
    assert fleet.effects(str(run)) == [f"{run} between"]
    row = fleet.run(run)
    assert (row["activations"], row["children"], row["step_count"]) == (2, 1, 2)
    [step] = [event["data"]["step"] for event in fleet.events(run, "step") if "spawn" in event["data"]["step"]["name"]]
    assert (step["name"], step["status"]) == ("spawn:double/only", "succeeded")


def test_several_children_are_one_record_and_wake_their_parent_once(fleet: Fleet) -> None:
    run = _enqueue(fleet, "spread", '{"count": 20}', priority=3)
    assert fleet.result(run) == [2 * n for n in range(1, 21)]
    row = fleet.run(run)
    assert (row["activations"], row["step_count"], row["children"]) == (2, 1, 20)
    assert {child["priority"] for child in _children(fleet, run)} == {3}


def test_a_child_that_failed_fails_a_parent_that_does_not_catch_it_after_all_have_ended(fleet: Fleet) -> None:
    run = _enqueue(fleet, "spread", '{"count": 5, "negative": 2}')
    row = fleet.ends(run)
    assert (row["status"], row["reason"], row["error"]["type"]) == ("FAILED", "child_failed", "ChildFailed")
    assert "negative" in row["error"]["message"]
    assert {child["status"] for child in _children(fleet, run)} == {"SUCCESS", "FAILED"}


def test_errors_may_be_returned(fleet: Fleet) -> None:
    run = _enqueue(fleet, "spread", '{"count": 3, "negative": 2, "return_errors": true}')
    assert fleet.result(run) == ["'FAILED'", 4, 6]


def test_async_agents_start_and_await_children(fleet: Fleet) -> None:
    run = _enqueue(fleet, "aspread", '{"count": 10}')
    assert fleet.result(run) == [90, 200, 200]
    assert fleet.run(run)["activations"] <= 6


def test_results_of_children_have_the_type_that_their_agent_returns(fleet: Fleet) -> None:
    assert fleet.result(_enqueue(fleet, "pages")) == ["/a", "/b"]


def test_a_child_that_is_described_starts_when_it_is_waited_for(fleet: Fleet) -> None:
    run = _enqueue(fleet, "unstarted")
    assert fleet.result(run) == [[2, 4, None], True]
    names = [event["data"]["step"]["name"] for event in fleet.events(run, "step")]
    assert names == ["spawn:double", "between", "spawn:double"]
    assert len(_children(fleet, run)) == 2


def test_what_cannot_be_started_says_why_and_starts_nothing(fleet: Fleet) -> None:
    run = _enqueue(fleet, "wrong")
    unknown_agent, unknown_queue, *refused = fleet.result(run)
    assert unknown_agent == ["unknown_agent", "there is no agent doubel; did you mean double?"]
    assert (unknown_queue[0], "known: default" in unknown_queue[1]) == ("unknown_queue", True)
    assert [text.split(",")[0][:40] for text in refused] == [
        "a child's input is a dict of its agent's",
        "a priority is a number from -100 to 100",
        "one call starts 5",
        "an agent is given by its name",
        "$.n: set is not JSON",
    ]
    assert (_children(fleet, run), fleet.run(run)["children"], fleet.run(run)["step_count"]) == ([], 0, 2)
    assert fleet.run(run)["activations"] == 2, "the refusals were replayed"


def test_a_cancel_reaches_three_levels(fleet: Fleet) -> None:
    run = _enqueue(fleet, "level", '{"depth": 2}')
    leaves = "SELECT count(*) AS n FROM wait WHERE key LIKE 'wait:signal#never%%' AND resolved_at IS NULL"
    fleet.until(lambda: fleet.one(leaves)["n"] == 4, "the leaves wait")
    fleet.cancel(run)
    family = """WITH RECURSIVE family AS (SELECT * FROM run WHERE id = %s
        UNION ALL SELECT run.* FROM run JOIN family ON run.parent_run_id = family.id) SELECT status, reason FROM family"""

    def canceled() -> bool:
        rows = fleet.database.execute(family, [run]).fetchall()
        return len(rows) == 7 and all(row["status"] == "CANCELED" for row in rows)

    fleet.until(canceled, "all are canceled", 5)
    reasons = [row["reason"] for row in fleet.database.execute(family, [run]).fetchall()]
    assert reasons == ["by_user"] + ["by_parent"] * 6
    forgotten = "SELECT count(*) AS n FROM wait JOIN run ON run.id = run_id"
    assert fleet.one(f"{forgotten} WHERE finished_at IS NOT NULL AND resolved_at IS NULL")["n"] == 0


def test_a_child_that_executes_is_interrupted_when_its_parent_is_canceled(fleet: Fleet) -> None:
    run = _enqueue(fleet, "keeps_busy")
    fleet.until(lambda: fleet.effects("blocked"), "the child is busy")
    fleet.status(run, "PAUSED")
    began = time.monotonic()
    fleet.cancel(run)
    [child] = _children(fleet, run)
    row = fleet.ends(child["id"], 10)
    assert (row["status"], row["reason"]) == ("CANCELED", "by_parent")
    assert time.monotonic() - began < 3


def test_a_parent_whose_host_dies_finds_its_children_again(fleet: Fleet) -> None:
    run = _enqueue(fleet, "survivor")
    alive, one, two, three, *ids = fleet.result(run)
    assert (alive, one, two, three) == ("alive", 0, 2, 4)
    assert ids == [str(child["id"]) for child in _children(fleet, run)]
    assert (fleet.run(run)["crashes"], fleet.run(run)["children"]) == (1, 3)


def test_the_first_child_to_end_is_enough(fleet: Fleet) -> None:
    run = _enqueue(fleet, "racing")
    assert fleet.result(run) == [1, 10]
    slow = _children(fleet, run)[0]
    assert slow["status"] in ("QUEUED", "RUNNING", "PAUSED")
    fleet.signal(slow["id"], "go", 1)
    assert fleet.result(slow["id"]) == 1


def test_a_parent_is_claimed_soon_after_its_child_has_ended(fleet: Fleet) -> None:
    sql = """SELECT extract(epoch FROM (SELECT at FROM event WHERE run_id = %s AND verb = 'continue')
        - (SELECT finished_at FROM run WHERE parent_run_id = %s)) AS s"""
    took = []
    for _ in range(5):
        run = _enqueue(fleet, "one")
        fleet.result(run)
        took.append(float(fleet.one(sql, run, run)["s"]))
    assert sorted(took)[2] < 0.1, took


def test_a_thousand_children_of_one_parent(fleet: Fleet) -> None:
    run = _enqueue(fleet, "many", '{"count": 1000}')
    assert fleet.result(run, 120) == 499500
    row = fleet.run(run)
    assert row["activations"] == 2, "it parks although children end all the time"
    last = """SELECT extract(epoch FROM (SELECT finished_at FROM run WHERE id = %s) - max(finished_at)) AS s
        FROM run WHERE parent_run_id = %s"""
    assert float(fleet.one(last, run, run)["s"]) < 3


def test_a_parent_wakes_once_although_the_leader_is_killed_again_and_again(fleet: Fleet) -> None:
    leader = next(process for process in fleet.processes if process.name.startswith("scheduler"))
    run = _enqueue(fleet, "spread", '{"count": 120}')
    ended = "SELECT count(*) AS n FROM run WHERE parent_run_id = %s AND finished_at IS NOT NULL"
    for n in range(5):
        fleet.until(lambda n=n: fleet.one(ended, run)["n"] >= 20 * n + 4, f"{20 * n} children have ended", 60)
        leader.kill()
        leader = fleet.scheduler(f"scheduler-{n}")
    assert fleet.result(run, 60) == [2 * n for n in range(1, 121)]
    verbs = fleet.verbs(run)
    assert (verbs.count("resume"), fleet.run(run)["activations"]) == (1, 2)
    assert fleet.one("SELECT count(*) AS n FROM outbox")["n"] == 0


def test_an_agent_that_starts_itself_comes_to_an_end_that_says_why(fleet: Fleet) -> None:
    run = _enqueue(fleet, "endless")
    row = fleet.ends(run, 60)
    deepest = fleet.one(
        "SELECT error FROM run JOIN payload ON run_id = id WHERE agent = 'endless' ORDER BY id DESC LIMIT 1"
    )
    assert (row["status"], row["reason"], deepest["error"]["code"]) == ("FAILED", "child_failed", "history_limit")
    assert "at most 20 levels deep" in deepest["error"]["message"]
    assert fleet.one("SELECT count(*) AS n FROM run WHERE agent = 'endless'")["n"] == 21
