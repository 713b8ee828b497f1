"""A simulation as a list of actions, drawn from a seed; played on a new field, and shortened after a failure."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

import psycopg
from structlog.testing import capture_logs

from models.operations import commands
from tests.postgres.simulation import layout
from tests.postgres.simulation.actions import ACTIONS, answer, finish, signal, take
from tests.postgres.simulation.field import Field
from tests.postgres.simulation.layout import Layout, WorkerOf
from tests.postgres.simulation.leader import Leader
from tests.postgres.simulation.lookout import Broken, must
from tests.postgres.virtual_time import Clock

BEGUN = datetime(2026, 3, 2, 12, tzinfo=UTC)
Connection = psycopg.Connection[dict[str, Any]]


@dataclass(frozen=True)
class Plan:
    """Each step is the name of an action, or `turn`, and the seed of its dice."""

    seed: int
    layout: Layout
    steps: tuple[tuple[str, int], ...]


def draw(seed: int) -> Plan:
    """Draw a plan: a few actions between two turns."""
    dice = Random(seed)
    of = layout.draw(dice)
    names, often = list(ACTIONS), [often for _, often in ACTIONS.values()]
    steps: list[tuple[str, int]] = [("accept", dice.getrandbits(32))]
    for _ in range(dice.randint(6, 18)):
        between = dice.choices(names, often, k=dice.choice((1, 2, 3, 3, 4, 5)))
        steps += [(name, dice.getrandbits(32)) for name in [*between, "turn"]]
    return Plan(seed, of, tuple(steps))


def play(connection: Connection, plan: Plan) -> tuple[Broken | None, list[str]]:
    """Play a plan to its end; return the failure, and the story."""
    with capture_logs():
        return _play(connection, plan)


def _play(connection: Connection, plan: Plan) -> tuple[Broken | None, list[str]]:
    field = Field(connection, Clock(connection, BEGUN), plan.layout)
    try:
        leader = Leader(field)
        for name, seed in plan.steps:
            if name == "turn":
                leader.turn(Random(seed))
            else:
                ACTIONS[name][0](field, Random(seed))
        _end(field, leader)
    except Broken as broken:
        return broken, field.story
    finally:
        field.forget()
    return None, field.story


def _end(field: Field, leader: Leader) -> None:
    """Lift all gates and keep all limits: in each turn all tickets are taken, and all executing runs end."""
    field.tell("the gates are lifted")
    field.silent = set()
    period = max((rule["rate"]["per_ms"] / 1000 for rule in field.rules.values() if rule["rate"]), default=0.0)
    for queue in field.queues:
        field.say_of_queue(queue, {"paused": False, "cordoned": False, "window": None})
    for agent in field.agents:
        field.say_of_agent(agent, {"paused": False, "window": None})
    for window in field.windows:
        field.hold(window, is_open=True, seconds=10_000_000)
    for queue in field.layout.queues:
        field.start(WorkerOf(queue, 3, tuple(field.layout.agents)))
    dice, left = Random(0), field.runs()
    most = 3 * len(left) + 20
    while left and most:
        _go_on(field, dice)
        field.passes(period + 600)
        leader.whole_turn()
        left, most = field.runs(), most - 1
    must(not left, "nobody is forgotten", [(field.short[run["id"]], run["status"], run["blocked_on"]) for run in left])
    leader.whole_turn()  # a run that ended last keeps its places until the next recheck
    leader.lookout.over()


def _go_on(field: Field, dice: Random) -> None:
    """Carry out all work of workers and waits."""
    for run in field.runs():
        if run["ticket_at"] and (taken := take(field, dice, run)):
            finish(field, taken)
        elif run["lease_worker"] and run["control_request"]:
            answer(field, run)
        elif run["lease_worker"]:
            finish(field, run)
        elif run["control_request"] == "pause" or run["pause_kind"] == "user":
            with field.connection.transaction():
                commands.resume(field.connection, run["id"], run["tenant"], by="ann")
            field.tell("somebody resumes", run["id"])
        elif run["pause_kind"] == "agent":
            signal(field, run)


def shorten(connection: Connection, plan: Plan, broken: Broken, seconds: float = 60) -> tuple[Plan, Broken, list[str]]:
    """Leave out what the same failure does not need; return the shortest plan found, its failure, and its story."""
    deadline, size = time.monotonic() + seconds, max(1, len(plan.steps) // 2)
    story = play(connection, plan)[1]
    while size and time.monotonic() < deadline:
        at = 0
        while at < len(plan.steps) and time.monotonic() < deadline:
            shorter = replace(plan, steps=plan.steps[:at] + plan.steps[at + size :])
            now, told = play(connection, shorter)
            if now and _what(now) == _what(broken):
                plan, broken, story = shorter, now, told
            else:
                at += size
        size //= 2
    return plan, broken, story


def _what(broken: Broken) -> str:
    return str(broken).partition(":")[0]
