"""Agents for the scenarios: executed by `taxiway.testing`, and by the hosts of real workers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import taxiway
from taxiway import AsyncRun, Fatal, Retry, Run, agent


def note(log: str, what: str) -> str:
    """Leave a trace outside of Taxiway."""
    with Path(log).open("a") as file:
        file.write(f"{what}\n")
    return what


def fail(kind: str, message: str) -> None:
    """Raise the requested error."""
    raise {"ValueError": ValueError, "Fatal": Fatal, "TypeError": TypeError}[kind](message)


@dataclass
class Address:
    street: str
    number: int


# --------------------------------------------------------------------------------------------------------------- steps
@agent
def sequence(run: Run, log: str) -> Any:
    def locate(street: str) -> Address:
        return Address(street, 7)

    one = run.step(note, log, "one")
    place = run.step(locate, "Elm")
    again = [run.step(note, log, "same") for _ in range(2)]
    return [one, type(place).__name__, asdict(place), again]


@agent
def flaky(run: Run, log: str, times: int, attempts: int, initial: float = 0.01, kind: str = "ValueError") -> Any:
    def tried() -> str:
        note(log, "tried")
        if len(Path(log).read_text().splitlines()) <= times:
            fail(kind, "not yet")
        return "at last"

    policy = Retry(attempts, initial=initial, jitter=0, give_up=TypeError)
    return run.using(name="tried", retry=policy).step(tried)


@agent
def caught(run: Run) -> Any:
    try:
        run.step(fail, "ValueError", "no")
    except taxiway.StepFailed as failed:
        return [failed.step, failed.type, failed.message, failed.code, run.using(name="other").step(str, 7)]


@agent
def careless(run: Run) -> Any:
    run.using(name="fine").step(str, 1)
    raise LookupError("outside of any step")


@agent
def slow(run: Run) -> Any:
    return run.using(name="slow", timeout=0.2).step(time.sleep, 30)


@agent
def once(run: Run, log: str) -> Any:
    return run.using(name="pay", once=True).step(note, log, "paid")


@agent
def unfit(run: Run, step: bool) -> Any:
    return run.using(name="unfit").step(set) if step else {1, 2}


# --------------------------------------------------------------------------------------------------------------- waits
@agent
def ship(run: Run, log: str, on_deny: str = "cancel", on_timeout: str = "deny", timeout: float | None = None) -> Any:
    run.step(note, log, "before")
    note(log, "beside")
    decision = run.approve(
        "Ship it?",
        details={"order": 7},
        choices=["air", "sea"],
        on_deny=on_deny,
        on_timeout=on_timeout,
        timeout=timeout,
    )
    run.step(note, log, "after")
    return [decision.approved, decision.choice, decision.comment, decision.by]


@agent
def lenient(run: Run) -> Any:
    try:
        run.approve("May I?", on_deny="raise")
    except taxiway.ApprovalDenied as denied:
        return [denied.prompt, denied.by, denied.comment]


@agent
def where(run: Run, timeout: float | None = None) -> Any:
    address = run.ask("Where to?", Address, timeout=timeout)
    return [type(address).__name__, asdict(address)]


@agent
def hear(run: Run, count: int = 1, timeout: float | None = None, catch: bool = False, number: bool = False) -> Any:
    try:
        return [run.wait_for("word", timeout=timeout, schema=int if number else None) for _ in range(count)]
    except taxiway.WaitTimeout as late:
        if not catch:
            raise
        return str(late)


@agent
def nap(run: Run, seconds: float) -> Any:
    run.sleep(seconds)
    return "rested"


@agent
def stand(run: Run, timeout: float | None = None) -> Any:
    run.pause("somebody should look", timeout=timeout)
    return "went on"


@agent
def both(run: Run, policy: str = "return") -> Any:
    one, two = run.gather(run.approval("One?"), run.approval("Two?", on_deny=policy))
    return [one.approved, two.approved]


@agent
def mixed(run: Run) -> Any:
    decision, word, rest = run.gather(run.approval("Go?"), run.signal("word"), run.timer(0.2))
    return [decision.approved, word, rest]


@agent
def either(run: Run, timer: float) -> Any:
    index, value = run.first(run.approval("Really?"), run.timer(timer))
    return [index, value and value.approved]


@agent
def reminded(run: Run) -> Any:
    approval, reminders = run.approval("Really?"), 0
    while (winner := run.first(approval, run.timer(0.2))).index:
        reminders += 1
    return [winner.value.by, reminders > 0]


@agent
def late_look(run: Run, log: str, on_deny: str) -> Any:
    approval = run.approval("Meanwhile?", on_deny=on_deny)
    run.first(approval, run.timer(0.1))
    run.sleep(2.0)
    run.step(note, log, "rested")
    [decision] = run.gather(approval)
    return decision.approved


@taxiway.step(tool=True, on_deny="raise")
def search(query: str, limit: int = 3) -> str:
    return f"{query} {limit}"


@agent
def loop(run: Run) -> Any:
    found = []
    for query in ("cats", "dogs"):
        try:
            found.append(run.step(search, query))
        except taxiway.ApprovalDenied as denied:
            found.append(f"no: {denied.comment}")
    return found


@agent
def detour(run: Run) -> Any:
    try:
        return run.step(search, "cats")
    except taxiway.ApprovalDenied:
        run.using(name="other way").step(str, "dogs")
    return run.wait_for("word")


@agent
def one_tool(run: Run, on_deny: str) -> Any:
    return run.using(on_deny=on_deny).step(search, "cats")


# ------------------------------------------------------------------------------------------------------- code that changes
@agent
def other_step(run: Run) -> Any:
    run.using(name="new" if run.activation > 1 else "old").step(str, 1)
    run.sleep(0.1)
    return "never"


@agent
def other_wait(run: Run) -> Any:
    if run.activation == 1:
        run.sleep(0.1)
    return run.wait_for("word")


# --------------------------------------------------------------------------------------------------------------- asyncio
@agent
async def side_by_side(run: AsyncRun, log: str) -> Any:
    async def stride() -> str:
        note(log, "begin")
        await asyncio.sleep(0.1)
        return note(log, "end")

    async def chain(word: str) -> Any:
        return [await run.wait_for(word), await run.using(name=f"after {word}").step(str, word)]

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(chain("one")), group.create_task(chain("two"))]
        beside = group.create_task(run.step(stride))
    return [*(task.result() for task in tasks), beside.result()]


@agent
async def gathered(run: AsyncRun) -> Any:
    one, two, word = await asyncio.gather(
        run.approve("One?"), run.approve("Two?", on_deny="return"), run.wait_for("word")
    )
    return [one.approved, two.approved, word]


@agent
async def grouped(run: AsyncRun) -> Any:
    async with asyncio.TaskGroup() as group:
        group.create_task(run.approve("Fine?"))
        group.create_task(run.approve("Denied?", on_deny="raise"))
    return "never"


@agent
async def raced(run: AsyncRun) -> Any:
    word, rest = asyncio.ensure_future(run.wait_for("word")), asyncio.ensure_future(run.sleep(0.4))
    done, _ = await asyncio.wait([word, rest], return_when=asyncio.FIRST_COMPLETED)
    return await word if word in done else "nobody said a word"


@agent
async def limited(run: AsyncRun) -> Any:
    try:
        async with asyncio.timeout(0.2):
            return await run.wait_for("word")
    except TimeoutError:
        return "gave up"


@agent
async def first_async(run: AsyncRun) -> Any:
    index, value = await run.first(run.signal("word"), run.timer(0.2))
    return [index, value]


@agent
async def tools_at_once(run: AsyncRun) -> Any:
    return await asyncio.gather(*(run.step(search, query, limit=1) for query in ("cats", "dogs")))


@agent
async def flaky_async(run: AsyncRun, log: str) -> Any:
    def tried() -> str:
        note(log, "tried")
        if len(Path(log).read_text().splitlines()) <= 2:
            fail("ValueError", "not yet")
        return "at last"

    return await run.using(name="tried", retry=Retry(3, initial=0.01)).step(tried)
