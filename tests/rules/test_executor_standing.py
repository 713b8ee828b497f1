"""The host of a tenant, and the start or end of one for another tenant, are decided from the existing hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from executor.hosts.host import Host
from executor.hosts.standing import Standing


@dataclass(eq=False)
class Stand:
    """The part of a host that the decisions read."""

    tenant: str | None = None
    settled: bool = True

    def has_settled(self) -> bool:
        return self.settled


def _standing(slots: int = 1, idle: int = 1, hosts: int = 2) -> tuple[Standing, list[Any]]:
    standing = Standing(slots, idle)
    run_state = [cast(Host, Stand()) for _ in range(hosts)]
    for host in run_state:
        standing.add(host)
    return standing, run_state


def test_a_tenant_gets_its_own_host_before_an_unused_one() -> None:
    standing, [first, second] = _standing()
    assert standing.take("a") is first
    standing.give_back(first)
    assert standing.take("a") is first
    assert standing.take("a") is second
    assert (first.tenant, second.tenant) == ("a", "a")


def test_a_host_that_still_tidies_up_is_not_awaited_while_another_may_stand() -> None:
    standing, [first, second] = _standing()
    standing.take("a")
    standing.give_back(first)
    first.settled = False
    assert standing.take("a") is second
    standing.give_back(second)
    second.settled = False
    assert standing.take("a") is first, "one more than slots is enough"


def test_no_more_stand_than_may_and_the_one_idle_for_longest_makes_room() -> None:
    standing, [first, second] = _standing(idle=0)
    assert not standing.wants_one()
    standing.take("a")
    assert not standing.wants_one()
    standing.take("b")
    assert not standing.wants_one(), "both execute"
    standing.give_back(second)
    standing.give_back(first)
    assert standing.wants_one()
    assert standing.make_room() is second
    standing.remove(second)
    assert standing.make_room() is None


def test_no_newcomer_overtakes_a_thread_that_waits_for_an_unused_host() -> None:
    standing, [first, _] = _standing(hosts=2, idle=2)
    standing.take("a"), standing.take("b")
    place, behind = standing.enter_line(), standing.enter_line()
    fresh = cast(Host, Stand())
    standing.add(fresh)
    assert standing.take("new") is None
    assert standing.take("c", behind) is None
    standing.give_back(first)
    assert standing.take("a") is first, "what is its own it takes at once"
    assert standing.take("b", place) is fresh
    standing.leave_line(place)
    assert standing.wants_one()
