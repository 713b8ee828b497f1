"""An agent host serves one tenant: leftovers of a run in its process reach no other tenant's run."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from executor.errors import CannotServe
from executor.hosts import HostPool
from executor.hosts.pool import REPLACED
from tests.processes.carrying import carry, until

REMEMBERS = """
    import taxiway.frames
    MET = []
    decode = taxiway.frames.decode

    def listen(body):
        frame = decode(body)
        MET.append(frame.get("input"))
        return frame

    taxiway.frames.decode = listen

    @agent
    def echo(run: Run, whose: str = "") -> list:
        MET.append(whose)
        return [os.getpid(), *sorted({word for word in MET if word})]
"""


def _met(pool: HostPool, tenant: str, n: int = 0) -> list[Any]:
    host = pool.take(tenant)
    try:
        met: list[Any] = json.loads(carry(host, f"{tenant}.{n}", whose=tenant)["value"])
        return met
    finally:
        pool.give_back(host)


def test_tenants_that_take_turns_each_return_to_their_own_host(pool_of: Callable[..., HostPool]) -> None:
    pool = pool_of(REMEMBERS)
    pool.start()
    used = defaultdict(set)
    for n in range(5):
        for tenant in ("acme", "other", "third"):
            pid, *met = _met(pool, tenant, n)
            used[tenant].add(pid)
            assert met in ([tenant], [tenant, json.dumps({"whose": tenant})], [json.dumps({"whose": tenant}), tenant])
    assert not used["acme"] & used["other"]
    assert sum(map(len, used.values())) <= 6, "no tenant needs more than a host and one that tidies up"


def test_the_host_that_was_idle_for_longest_ends_for_a_tenant_that_is_new(pool_of: Callable[..., HostPool]) -> None:
    pool = pool_of(slots=1, idle_hosts=1)
    pool.start()
    before = REPLACED._value.get()
    first = pool.take("acme")
    carry(first, "r.1")
    pool.give_back(first)
    second = pool.take("other")
    carry(second, "r.2")
    until(lambda: len(pool.hosts()) == 3, "an unused one stands beside both")
    pool.give_back(second)
    assert first.process.returncode is None

    third = pool.take("third")
    until(lambda: first.process.returncode is not None, "the oldest one ends for a spare")
    assert (second.process.returncode, third.tenant) == (None, "third")
    until(lambda: len(pool.hosts()) == 3, "a spare stands ready")
    assert REPLACED._value.get() == before + 1
    assert pool.take("other") is second


@pytest.mark.parametrize("idle", [0, 3])
def test_many_threads_for_many_tenants_all_get_a_host_that_no_other_tenant_had(
    pool_of: Callable[..., HostPool], idle: int
) -> None:
    pool = pool_of(slots=3, idle_hosts=idle)
    pool.start()
    served = defaultdict(set)
    most = 0

    def serve(n: int) -> None:
        nonlocal most
        tenant = f"tenant {n % 5}"
        host = pool.take(tenant)
        most = max(most, len(pool.hosts()))
        served[host.process.pid].add(tenant)
        assert carry(host, f"r.{n}")["frame"] == "finish"
        if n % 7 == 0:
            host.kill("test")
        pool.give_back(host)

    with ThreadPoolExecutor(3) as slots:
        list(slots.map(serve, range(30)))
    assert {len(tenants) for tenants in served.values()} == {1}
    assert most <= 3 + 1 + idle


def test_threads_that_wait_for_a_host_of_their_own_leave_when_the_worker_stops(
    pool_of: Callable[..., HostPool],
) -> None:
    pool = pool_of(slots=1, idle_hosts=0)
    pool.start()
    until(lambda: len(pool.hosts()) == 2, "both are warm")
    for tenant in ("one", "two"):
        pool.take(tenant)
    said: list[str] = []

    def wait() -> None:
        with pytest.raises(CannotServe) as caught:
            pool.take("three")
        said.append(str(caught.value))

    waiting = threading.Thread(target=wait)
    waiting.start()
    until(lambda: pool._standing._line, "it waits in line")
    pool.stop()
    waiting.join(10)
    assert said == ["the worker is stopping"]
