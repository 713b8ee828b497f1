"""A run that waits for a signal, a time or a person is parked: it holds nothing, and resumes when its wait ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from models import control_requests
from tests.conftest import Servers
from tests.processes.fleet import Fleet, fleet_of

AGENTS = """
    def said(run, what):
        effect(f"{run.id} {what}")
        return what

    def gate(name):
        while not (Path(__file__).parent / name).exists():
            time.sleep(0.01)

    @agent
    def hear(run: Run, count: int = 1, gated: bool = False):
        run.using(name="before").step(said, run, "before")
        if gated:
            run.using(name="gate").step(gate, f"free-{run.id}")
        heard = [run.wait_for("word") for _ in range(count)]
        run.using(name="after").step(said, run, "after")
        return heard

    @agent
    def nap(run: Run, seconds: float):
        began = run.using(name="began").step(time.time)
        run.sleep(seconds)
        return run.using(name="ended").step(time.time) - began

    @agent
    def stand(run: Run):
        run.pause("somebody should look")
        return "went on"

    @agent
    def late(run: Run, caught: bool):
        try:
            return run.wait_for("never", timeout=0.3)
        except Exception as error:
            if caught:
                return f"{type(error).__name__}: {error}"
            raise

    @agent
    async def pair(run: AsyncRun):
        async def stride(name, nap):
            said(run, f"{name}-begin")
            await asyncio.sleep(nap)
            return said(run, f"{name}-end")
        async def chain(word):
            heard = await run.wait_for(word)
            return heard, await run.using(name=f"after {word}").step(said, run, f"after-{word}")
        async with asyncio.TaskGroup() as group:
            one, two = group.create_task(chain("one")), group.create_task(chain("two"))
            step = group.create_task(run.using(name="beside").step(stride, "beside", 0.5))
        return [one.result(), two.result(), step.result()]

    @agent
    async def either(run: AsyncRun):
        word, nap = asyncio.ensure_future(run.wait_for("word")), asyncio.ensure_future(run.sleep(0.7))
        done, _ = await asyncio.wait([word, nap], return_when=asyncio.FIRST_COMPLETED)
        return await word if word in done else "nobody said a word"

    @agent
    async def limited(run: AsyncRun):
        try:
            async with asyncio.timeout(0.5):
                return await run.wait_for("word")
        except TimeoutError:
            return "gave up"

    @agent
    async def clinging(run: AsyncRun):
        while True:
            try:
                await run.wait_for("word")
            except BaseException:
                time.sleep(0.05)

    @agent
    def stubborn(run: Run):
        try:
            run.wait_for("word")
        except BaseException:
            pass
        try:
            run.using(name="never").step(said, run, "never")
        except BaseException:
            pass
        finally:
            return "got past it"
"""


@pytest.fixture(scope="module")
def fleet(
    servers: Servers, template_database: str, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("waits")
    with fleet_of(servers, template_database, shared_folder, folder) as fleet:
        fleet.serve(AGENTS)
        fleet.scheduler()
        fleet.worker("only", slots=1)
        yield fleet


def _parked(fleet: Fleet, run: UUID) -> None:
    row = fleet.status(run, "PAUSED")
    assert (row["pause_kind"], row["reason"]) == ("agent", "waiting")
    assert (row["lease_worker"], row["ticket_at"], row["ready_at"]) == (None, None, None)


def _said(fleet: Fleet, run: UUID) -> list[str]:
    return [line.split()[1] for line in fleet.effects(f"{run} ")]


def test_a_run_waits_for_a_signal_and_holds_nothing(fleet: Fleet) -> None:
    run = fleet.enqueue("hear")
    _parked(fleet, run)
    other = fleet.enqueue("nap", seconds=0.0)
    assert fleet.result(other) >= 0, "its slot is free"
    fleet.signal(run, "another word", "no")
    assert fleet.run(run)["status"] == "PAUSED"
    fleet.signal(run, "word", {"text": "hello"})

    assert fleet.result(run) == [{"text": "hello"}]
    assert _said(fleet, run) == ["before", "after"], "what stands above the wait ran once"
    assert fleet.verbs(run) == ["enqueue", "start", "pause_by_agent", "resume", "continue", "succeed"]
    row = fleet.run(run)
    assert (row["activations"], row["crashes"], row["losses"]) == (2, 0, 0)


def test_signals_that_come_first_are_kept_and_consumed_in_their_order(fleet: Fleet) -> None:
    run = fleet.enqueue("hear", count=3, gated=True)
    fleet.in_step(run, "gate")
    for word, sender in (("one", "a"), ("two", "b"), ("one again", "a")):
        fleet.signal(run, "word", word, sender)
    (fleet.folder / f"free-{run}").touch()
    _parked(fleet, run)
    assert fleet.run(run)["activations"] == 1, "two of three were there, and parked nobody"
    fleet.signal(run, "word", "three")

    assert fleet.result(run) == ["one", "two", "three"], "one that is sent again counts once"
    assert fleet.run(run)["activations"] == 2
    assert _said(fleet, run) == ["before", "after"]


def test_a_sleep_of_no_time_costs_no_park(fleet: Fleet) -> None:
    run = fleet.enqueue("nap", seconds=0.0)
    assert fleet.result(run) < 2
    assert "pause_by_agent" not in fleet.verbs(run)


def test_a_sleeper_wakes_when_its_time_has_come(fleet: Fleet) -> None:
    run = fleet.enqueue("nap", seconds=0.6)
    slept = fleet.result(run)
    assert 0.6 <= slept < 2.6
    assert fleet.verbs(run)[2:4] == ["pause_by_agent", "resume"]
    [woken] = [event for event in fleet.events(run) if event["verb"] == "resume"]
    assert woken["reason"] == "wait_over"


def test_an_agents_own_pause_is_ended_by_a_person(fleet: Fleet) -> None:
    run = fleet.enqueue("stand")
    _parked(fleet, run)
    wait = fleet.one("SELECT kind, request::text AS request, due_at FROM wait WHERE run_id = %s", run)
    assert (wait["kind"], "somebody should look" in wait["request"]) == ("user", True)
    assert wait["due_at"] is not None, "nobody waits for ever"


def test_a_signal_that_does_not_come_in_time_is_an_error_of_the_agents(fleet: Fleet) -> None:
    caught, raised = fleet.enqueue("late", caught=True), fleet.enqueue("late", caught=False)
    assert fleet.result(caught) == "WaitTimeout: signal 'never' did not come in time"
    row = fleet.ends(raised)
    assert (row["status"], row["reason"], row["error"]["type"]) == ("FAILED", "timeout", "WaitTimeout")


def test_no_agent_code_gets_past_a_wait(fleet: Fleet) -> None:
    run = fleet.enqueue("stubborn")
    _parked(fleet, run)
    time.sleep(0.5)  # anything that it still does happens within this time
    _parked(fleet, run)
    assert _said(fleet, run) == []
    fleet.cancel(run)
    assert fleet.ends(run)["status"] == "CANCELED"


def test_tasks_side_by_side_wait_each_for_itself_and_interrupt_no_step(fleet: Fleet) -> None:
    run = fleet.enqueue("pair")
    _parked(fleet, run)
    assert _said(fleet, run) == ["beside-begin", "beside-end"], "a step beside the waits comes to its end first"
    fleet.signal(run, "two", 2)
    fleet.until(lambda: "after-two" in _said(fleet, run), "the one that was answered goes on alone")
    _parked(fleet, run)
    fleet.signal(run, "one", 1)
    assert fleet.result(run) == [[1, "after-one"], [2, "after-two"], "beside-end"]
    assert sorted(_said(fleet, run)) == ["after-one", "after-two", "beside-begin", "beside-end"]


@pytest.mark.parametrize("answered", [True, False])
def test_a_wait_against_a_timer_is_decided_by_what_comes_first(fleet: Fleet, answered: bool) -> None:
    run = fleet.enqueue("either")
    if answered:
        fleet.signal(run, "word", "hello")
    assert fleet.result(run) == ("hello" if answered else "nobody said a word")
    assert answered or "pause_by_agent" in fleet.verbs(run), "a word that is there in time parks nobody"


def test_a_time_limit_of_the_agents_own_holds_while_it_waits(fleet: Fleet) -> None:
    run = fleet.enqueue("limited")
    assert fleet.result(run) == "gave up"
    assert fleet.verbs(run) == ["enqueue", "start", "succeed"]


def test_an_agent_that_clings_to_its_host_is_parked_without_it(fleet: Fleet) -> None:
    run = fleet.enqueue("clinging")
    _parked(fleet, run)
    assert fleet.run(run)["crashes"] == 0
    fleet.cancel(run)
    assert fleet.ends(run)["status"] == "CANCELED"


def test_what_comes_while_a_user_wants_a_pause_is_kept_and_the_run_stays_paused(fleet: Fleet) -> None:
    run = fleet.enqueue("hear")
    _parked(fleet, run)
    assert control_requests.request_pause(run, by="ann", comment=None).one(fleet.database)
    fleet.signal(run, "word", "hello")
    row = fleet.status(run, "PAUSED")
    assert (row["pause_kind"], row["control_request"]) == ("user", None)
    assert fleet.verbs(run)[-2:] == ["resume", "pause_by_user"]
    fleet.resume(run)
    assert fleet.result(run) == ["hello"]


def test_waits_survive_the_worker_that_opened_them(fleet: Fleet) -> None:
    [only] = [process for process in fleet.processes if process.name == "only"]
    runs = [fleet.enqueue("hear") for _ in range(3)] + [fleet.enqueue("nap", seconds=1.0)]
    for run in runs:
        _parked(fleet, run)
    only.kill()
    for run in runs[:3]:
        fleet.signal(run, "word", str(run))
    fleet.worker("next")
    assert [fleet.result(run) for run in runs[:3]] == [[str(run)] for run in runs[:3]]
    assert fleet.result(runs[3]) >= 1
    assert {fleet.run(run)["losses"] for run in runs} == {0}
