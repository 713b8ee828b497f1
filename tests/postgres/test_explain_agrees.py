"""The explanation of a ready run agrees with the scheduler: it is promoted if and only if no blocker is listed.

Each world is a random combination of everything that may hold a run. Then the leader's own promotion takes one turn.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from api.explain.blocker_kinds import Kind
from api.explain.explanation import explain
from models.promotion.tickets import Ticket
from models.runtime.session_locks import LEADER
from scheduler.promotion.gates import GateReader
from scheduler.promotion.promotion import Promotion
from tests.postgres.factory import AGENT, TENANT, Made, World
from tests.postgres.stepping import do

OPEN = {"override": "open", "override_until": "now() + interval '1 h'"}
CLOSED = {"override": "closed", "override_until": "now() + interval '1 h'"}


@dataclass
class Scene:
    """A world that is being built, and the kinds that the explanation must name because of it."""

    world: World
    run: dict[str, Any] = field(default_factory=dict)
    queue: dict[str, Any] = field(default_factory=dict)
    agent: dict[str, Any] = field(default_factory=dict)
    worker: dict[str, Any] | None = field(default_factory=lambda: {"slots": 3})
    resumed: bool = False
    executing: int = 0
    expected: set[str] = field(default_factory=set)

    def window(self, name: str, how: dict[str, str]) -> str:
        values = {
            "name": name,
            "cron": "0 22 * * *",
            "duration_ms": 3_600_000,
            "timezone": "UTC",
            "override": how["override"],
        }
        self.world.insert("window", values, override_until=how["override_until"])
        return name


def _paused_queue(scene: Scene) -> None:
    scene.queue["paused"] = True
    scene.expected.add("queue_paused")


def _cordoned(scene: Scene) -> None:
    scene.queue["cordoned"] = True
    scene.expected |= set() if scene.resumed else {"queue_cordoned"}


def _paused_agent(scene: Scene) -> None:
    scene.agent["paused"] = True
    scene.expected.add("agent_paused")


def _window_of(what: str, how: dict[str, str]) -> Callable[[Scene], None]:
    def put(scene: Scene) -> None:
        getattr(scene, what)["window_name"] = scene.window(f"{what} {how['override']}", how)
        scene.expected |= {"window_closed"} if how is CLOSED else set()

    return put


def _rate(used: int) -> Callable[[Scene], None]:
    def put(scene: Scene) -> None:
        scene.queue["rate"] = json.dumps({"limit": 3, "per_ms": 60_000})
        scene.world.insert("rate_slot", {"queue": "default", "starts": used}, at="now() - interval '10 s'")
        scene.world.insert("rate_slot", {"queue": "default", "starts": 9}, at="now() - interval '61 s'")
        scene.expected |= {"rate"} if used >= 3 and not scene.resumed else set()

    return put


def _limit(table: str, limit: int) -> Callable[[Scene], None]:
    def put(scene: Scene) -> None:
        getattr(scene, table)["run_limit"] = limit
        scene.expected |= {f"{table}_limit"} if scene.executing >= limit else set()

    return put


def _worker(kind: str | None, **columns: Any) -> Callable[[Scene], None]:
    def put(scene: Scene) -> None:
        scene.worker = None if kind == "no_worker" else {"slots": 3, **columns}
        scene.expected |= {kind} if kind else set()

    return put


def _full(scene: Scene) -> None:
    scene.executing = 3
    scene.worker = {"slots": 3}


def _of_its_own(gate: str) -> Callable[[Scene], None]:
    def put(scene: Scene) -> None:
        scene.run |= {"blocked_on": gate, "blocked_until": "2100-01-01T00:00:00Z"}
        scene.expected.add(gate)

    return put


def _held(scene: Scene) -> None:
    if not scene.resumed:
        scene.run |= {"control_request": "pause", "control_by": "ann"}
        scene.expected.add("held")


def _nothing(_: Scene) -> None:
    return


# At most one of each row is chosen: they concern the same setting.
CHOICES: list[list[Callable[[Scene], None]]] = [
    [_nothing, _full],
    [*[_nothing] * 7, _paused_queue],
    [*[_nothing] * 5, _cordoned],
    [*[_nothing] * 7, _paused_agent],
    [_nothing, *[_window_of("run", OPEN)] * 3, _window_of("run", CLOSED)],
    [_nothing, *[_window_of("queue", OPEN)] * 3, _window_of("queue", CLOSED)],
    [_nothing, *[_window_of("agent", OPEN)] * 3, _window_of("agent", CLOSED)],
    [_nothing, _nothing, _rate(2), _rate(3)],
    [_nothing, _nothing, _limit("queue", 4), _limit("queue", 3)],
    [_nothing, _nothing, _limit("agent", 4), _limit("agent", 3)],
    [
        *[_nothing] * 9, _worker("no_worker"), _worker("agent_unserved", agents=["other"]),
        _worker("agent_unserved", draining=True), _worker("agent_unserved", agents=[]),
    ],
    [*[_nothing] * 6, _of_its_own("not_before"), _of_its_own("declined")],
    [*[_nothing] * 7, _held],
]  # fmt: skip


def _build(scene: Scene) -> Made:
    world = scene.world
    world.insert("queue", {"name": "default", **scene.queue})
    world.insert("agent", {"name": AGENT, "queue": "default", "version": "1", "input_schema": "{}", **scene.agent})
    elsewhere = world.worker(queue="elsewhere")
    holder = elsewhere
    if scene.worker is not None:
        holder = world.worker(**scene.worker)
        world.connection.execute("UPDATE worker SET consuming_at = now() WHERE id = %s", [holder])
    for _ in range(scene.executing):
        world.run("executing", worker=holder)
    return world.run("ready" if scene.resumed else "queued", worker=elsewhere, **scene.run)


def _kinds(scene: Scene, made: Made) -> list[Kind]:
    explanation = explain(scene.world.connection, TENANT, made.id)
    assert explanation is not None
    return [blocker.kind for blocker in explanation.blockers]


def _settle(scene: Scene) -> None:
    """Remove blockers that are counted for ready runs only, and add the note of a run that nothing holds."""
    if scene.expected & {"held", "not_before", "declined"}:
        scene.expected -= {"rate", "queue_limit", "agent_limit"}
    if not scene.expected:
        scene.expected.add("capacity" if scene.executing == 3 else "promotion")


def _clear(world: World) -> None:
    for table in ("run", "payload", "event", "worker", "queue", "agent", "window", "rate_slot"):
        world.connection.execute(f'DELETE FROM "{table}"')


def _promoted(world: World) -> list[UUID]:
    """Execute one turn of the leader's promotion."""
    published: list[Ticket] = []
    do(Promotion(published.extend, GateReader(), fill_s=0), world.connection)
    return [ticket.id for ticket in published]


@pytest.mark.parametrize("seed", range(4))
def test_a_run_is_promoted_if_and_only_if_nothing_is_said_to_hold_it(own_world: World, seed: int) -> None:
    chance, seen = random.Random(seed), set[str]()
    own_world.connection.execute("SELECT pg_advisory_lock(%s)", [LEADER])
    for _ in range(75):
        _clear(own_world)
        scene = Scene(own_world, resumed=chance.random() < 0.4)
        for row in CHOICES:
            chance.choice(row)(scene)
        _settle(scene)
        made = _build(scene)

        kinds = _kinds(scene, made)

        assert set(kinds) == scene.expected, scene
        assert kinds == sorted(kinds, key=list(Kind).index)
        assert (_promoted(own_world) == [made.id]) is (kinds == [Kind.PROMOTION]), scene
        seen |= set(kinds)
    assert {"promotion", "capacity", "queue_paused", "held"} <= seen


@pytest.mark.parametrize(("priorities", "started"), [([0], 0.5), ([0], 0.9), ([-1, 0, 7], 0.0), ([-1, 0, 7], 1.0)])
def test_as_many_runs_are_promoted_before_a_run_as_was_said(
    own_world: World, priorities: list[int], started: float
) -> None:
    chance = random.Random(f"{priorities} {started}")
    own_world.connection.execute("SELECT pg_advisory_lock(%s)", [LEADER])
    own_world.insert("queue", {"name": "default"})
    worker = own_world.worker(slots=1)
    own_world.connection.execute("UPDATE worker SET consuming_at = now() WHERE id = %s", [worker])
    own_world.run("executing", worker=worker)
    made = [
        own_world.run(
            "ready" if chance.random() < started else "queued",
            worker=worker, priority=chance.choice(priorities), fair_tag=float(chance.randrange(9)),
        )
        for _ in range(40)
    ]  # fmt: skip
    for gate in ("paused", "not served", "blocked"):
        columns = (
            {"agent": "other"} if gate == "not served" else {"blocked_on": "declined"} if gate == "blocked" else {}
        )
        own_world.run("held" if gate == "paused" else "queued", worker=worker, priority=100, **columns)
    said = {}
    for one in made:
        explanation = explain(own_world.connection, TENANT, one.id)
        assert explanation is not None
        [blocker] = explanation.blockers
        assert blocker.kind is Kind.CAPACITY
        said[one.id] = blocker.facts["ahead"]

    own_world.connection.execute("UPDATE worker SET slots = 1000 WHERE id = %s", [worker])

    assert said == {run: n for n, run in enumerate(_promoted(own_world))}
