"""The explanation of a reached limit is shown for runs that need room under it, with the runs that use it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from api.explain import limits
from api.explain.blocker_kinds import Kind
from api.explain.snapshot import (
    AgentRule,
    Count,
    InFlight,
    Line,
    Named,
)
from tests.rules.explained import HOUR, NOW, ONE, kinds, only, queue, ready, run


def _line(name: str = "key:default\nacme\nA7", held: int = 1, ahead: int = 0) -> Line:
    return Line(name, held, [Named(ONE, "RUNNING")][:held], Count.of(ahead))


def test_a_key_says_who_holds_its_places_and_who_waits_before() -> None:
    waits = run(blocked_on="key:default\nacme\nA7", concurrency_key="A7")
    found = only(limits.reached(ready(waits, line=_line(ahead=3))))
    assert (found.kind, found.since) == (Kind.KEY, NOW - HOUR)
    assert found.facts == {
        "key": "A7", "queue": "default", "limit": 1, "used": 1, "ahead": 3, "runs": [{"runId": str(ONE), "status": "RUNNING"}],
    }  # fmt: skip
    assert found.detail == (
        f"The key A7 has 1 place in the queue default, held by {ONE} (RUNNING); 3 runs wait before it."
    )
    assert only(limits.reached(ready(waits, line=_line(ahead=20_000)))).facts["aheadIsMore"] is True


def test_a_tenants_limit_is_told_apart_from_a_key() -> None:
    line = _line("tenant:default\nacme")
    found = only(limits.reached(ready(run(blocked_on=line.name), line=line, queue=queue(tenant_limit=1))))
    assert (found.kind, "key" in found.facts) == (Kind.TENANT_LIMIT, False)
    assert "this run is next" in found.detail


def test_whoever_stands_before_a_free_place_only_asks_for_it() -> None:
    waits = run(blocked_on="key:default\nacme\nA7", concurrency_key="A7")
    for line in (_line(held=0), _line(held=1)):
        assert kinds(limits.reached(ready(waits, line=line, queue=queue(key_limit=2)))) == ["place"]
    assert kinds(limits.reached(ready(waits, line=_line(ahead=1), queue=queue(key_limit=2)))) == ["key"]
    tenants = _line("tenant:default\nacme", ahead=9)
    assert kinds(limits.reached(ready(waits, line=tenants))) == ["place"], "the limit was taken away"


def test_whoever_asks_for_places_while_it_is_held_is_not_looked_at() -> None:
    assert kinds(limits.reached(ready(run(blocked_on="place")))) == ["place"]
    assert limits.reached(ready(run(blocked_on="place", control_request="pause"))) == []


def test_a_rate_says_when_it_lets_another_run_start() -> None:
    starts = [(NOW - timedelta(seconds=50), 1), (NOW - timedelta(seconds=40), 2), (NOW, 2)]
    limited = queue(rate={"limit": 5, "per_ms": 60_000})
    found = only(limits.reached(ready(queue=limited, starts=starts)))
    assert (found.kind, found.until) == (Kind.RATE, NOW + timedelta(seconds=10))
    assert found.facts == {"queue": "default", "limit": 5, "perSeconds": 60.0, "used": 5}
    lowered = ready(queue=queue(rate={"limit": 3, "per_ms": 60_000}), starts=starts)
    assert only(limits.reached(lowered)).until == NOW + timedelta(seconds=20), "when enough of them are counted no more"
    assert limits.reached(ready(queue=limited, starts=starts[1:])) == []
    assert limits.reached(ready(run(resumed=True), queue=limited, starts=starts)) == []


def test_limits_in_flight_count_the_queue_and_the_agent_in_all_queues() -> None:
    in_flight = [InFlight("default", "echo", 2, 1), InFlight("default", "x", 1, 0), InFlight("other", "echo", 3, 0)]
    agents = {"echo": AgentRule("echo", limit=5)}
    found = limits.reached(ready(queue=queue(run_limit=3), agents=agents, in_flight=in_flight))
    assert [(one.kind, one.facts["limit"], one.facts["used"]) for one in found] == [
        (Kind.QUEUE_LIMIT, 3, 3),
        (Kind.AGENT_LIMIT, 5, 5),
    ]
    assert limits.reached(ready(queue=queue(run_limit=4), in_flight=in_flight)) == []


@pytest.mark.parametrize("apart", [{"blocked_on": "declined"}, {"control_request": "pause"}])
def test_what_is_not_ready_to_go_is_counted_against_no_limit(apart: dict[str, str]) -> None:
    full = ready(run(**apart), queue=queue(run_limit=1), in_flight=[InFlight("default", "echo", 1, 0)])
    assert limits.reached(full) == []
