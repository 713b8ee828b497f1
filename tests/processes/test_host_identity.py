"""Each task of an async agent gets its own values again, by the current keys and by those of earlier versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.processes.host_driver import Host, Run, agents_file

SWAPS = """
from decimal import Decimal

async def load(n: int) -> int:
    await asyncio.sleep(0.3 if n == 1 else 0.01)
    return n

def text(page: bytes) -> str:
    return page.decode()

def triple(amount: Decimal) -> str:
    return str(3 * amount)

@agent
async def main(run: AsyncRun):
    async def one(n):
        await run.step(load, n)
        return await run.step(text, f"page {n}".encode()), await run.step(triple, Decimal(n))
    said = await asyncio.gather(one(1), one(2))
    await run.sleep(60)
    return said
"""


def test_values_of_tasks_do_not_change_places_though_json_cannot_tell_their_arguments_apart(tmp_path: Path) -> None:
    agents, run = agents_file(tmp_path, SWAPS), Run("main")
    with Host(agents) as host:
        host.hello()
        host.activate(run)
        park = host.serve(run, until=lambda frame: frame["frame"] == "park")
        run.record(park)
        run.settle(park["waits"][0]["key"], "elapsed")
    with Host(agents) as host:
        host.hello()
        assert host.result(run) == [["page 1", "3"], ["page 2", "6"]]


def _of_today(n: int, occurrence: int) -> dict[str, Any]:
    from taxiway.identity import arguments_digest  # noqa: PLC0415 - as that version counted them

    digest = arguments_digest((n,), {})
    return {
        "key": f"double#{digest}#{occurrence}", "name": "double", "status": "succeeded", "attempts": 1,
        "value": str(100 * n + occurrence), "error": None, "large": False, "digest": digest, "occurrence": occurrence,
    }  # fmt: skip


LEGACY = """
def double(n: int) -> int:
    (Path(__file__).parent / f"executed {n}").touch()
    return 2 * n

@agent
async def main(run: AsyncRun):
    first = await asyncio.gather(*(run.step(double, n) for n in (1, 1, 2)))
    paid = await run.wait_for("paid")
    await run.sleep(5)
    return [first, paid, await run.step(double, 7)]
"""


def test_a_run_that_was_recorded_by_the_keys_of_earlier_versions_goes_on(tmp_path: Path) -> None:
    run = Run("main")
    for n, occurrence in ((2, 1), (1, 2), (1, 1)):
        step = _of_today(n, occurrence)
        run.steps[step["key"]] = step
    for key, outcome, answer in (
        ("wait:signal#paid#1", "received", '{"n": 1}'),
        ("wait:timer#sleep#1", "elapsed", None),
    ):
        run.waits[key] = {"key": key, "kind": key.split(":")[1].split("#")[0], "outcome": outcome, "answer": answer}
    run.activations = 1
    with Host(agents_file(tmp_path, LEGACY)) as host:
        host.hello()
        assert host.result(run) == [[101, 102, 201], {"n": 1}, 14]
        assert [frame["key"] for frame in host.of_kind("step")] == ["double@0#4"]
    assert [path.name for path in tmp_path.glob("executed*")] == ["executed 7"]
