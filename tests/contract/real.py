"""Execution of the scenarios by real processes, all concurrently; decisions are made by the functions of the law."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from taxiway.testing import Given
from taxiway.testing.given import Authorization
from taxiway.testing.waits import Answer, Waiting

from models.authorization import grants
from models.authorization.grants import Holder
from models.authorization.oauth_client import Tokens
from models.lifecycle import TERMINAL, Reason
from models.runs.enqueue import NewRun, enqueue
from models.runtime.bus import PROMOTE
from models.waiting import waits
from models.waiting.wake import wake_run
from tests.contract.scenarios import Scenario, Seen
from tests.postgres.factory import World
from tests.processes.fleet import TENANT, Fleet

PATIENCE = 90.0
_STANDS = """
    SELECT id, status, reason, pause_kind, extract(epoch FROM now() - created_at)::float AS age FROM run WHERE id = ANY(%s)
    """
_OPEN = """
    SELECT wait.id, key, kind, request, extract(epoch FROM opened_at - created_at)::float AS opened, on_due,
        extract(epoch FROM due_at - created_at)::float AS due
    FROM wait JOIN run ON run.id = run_id WHERE run_id = %s AND resolved_at IS NULL ORDER BY opened_at, wait.id
    """
_STEPS = """
    SELECT name, status, attempts, (
        SELECT data -> 'step' ->> 'approval' FROM event
        WHERE run_id = %(run)s AND type = 'step' AND data -> 'step' ->> 'key' = step.key ORDER BY event.seq DESC LIMIT 1
    ) AS approval FROM step WHERE run_id = %(run)s
    """
_ASKED = """
    SELECT coalesce(request ->> 'prompt', request ->> 'provider') AS prompt, outcome FROM wait
    WHERE run_id = %s AND kind IN ('approval', 'authorization') ORDER BY id
    """


@dataclass
class Played:
    """One scenario in execution."""

    scenario: Scenario
    log: Path
    run: UUID
    left: list[Given] = field(default_factory=list)


class Real:
    """The scenarios on a fleet."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self._fleet, self._folder = fleet, folder

    def perform(self, scenarios: Iterable[Scenario]) -> dict[str, Seen]:
        """Execute all of them and return the result of each."""
        started = [self._started(scenario, self._folder / f"log-{n}") for n, scenario in enumerate(scenarios)]
        self._fleet.broker.publish(PROMOTE, "default")
        seen: dict[str, Seen] = {}
        deadline = time.monotonic() + PATIENCE
        while len(seen) < len(started):
            going = [played for played in started if played.scenario.name not in seen]
            assert time.monotonic() < deadline, (
                f"not over: {[(one.scenario.name, self._fleet.run(one.run)) for one in going]}"
            )
            rows = {row["id"]: row for row in self._all(_STANDS, [[played.run for played in going]])}
            for played in going:
                row = rows[played.run]
                if row["status"] in TERMINAL or row["reason"] == Reason.CODE_MISMATCH:
                    seen[played.scenario.name] = self._seen(played)
                else:
                    self._give(played, row["age"])
            time.sleep(0.02)  # the facts belong to other processes
        return seen

    def start(self, scenario: Scenario) -> Played:
        """Start one of them, with nothing given yet."""
        played = self._started(scenario, self._folder / "log-alone")
        self._fleet.broker.publish(PROMOTE, "default")
        return played

    def _started(self, scenario: Scenario, log: Path) -> Played:
        given = {**scenario.input, **({"log": str(log)} if scenario.log else {})}
        new = NewRun(scenario.agent, "default", json.dumps(given), approval_strategy=scenario.strategy)
        played = Played(scenario, log, new.id, list(scenario.given))
        with self._fleet.database.transaction():
            enqueue(self._fleet.database, TENANT, [new])
            self._send(played, 0.0)
        return played

    def _give(self, played: Played, age: float) -> None:
        """Decide and send everything that is due by now."""
        with self._fleet.database.transaction():
            self._send(played, age)
        for row in self._all(_OPEN, [played.run]):
            wait = Waiting(row["key"], row["kind"], row["request"], row["opened"], row["due"], row["on_due"], None, 0)
            fits = (one for one in played.left if wait.kind not in ("signal", "timer") and one.fits(wait))
            given = next(fits, None)
            if given is not None and given.when(wait) <= age:
                _remove(played.left, given)
                if isinstance(given, Authorization) and wait.request["url"] is None:
                    self._consent(played.run, wait.request, str(given.token))
                else:
                    self._end(played.run, row["id"], given.answer(wait))

    def _send(self, played: Played, age: float) -> None:
        for given in [one for one in played.left if one.is_kept and one.after <= age]:
            _remove(played.left, given)
            run_state = waits.lock_run(played.run, TENANT).one(self._fleet.database)
            assert run_state is not None
            payload = json.dumps(given.payload)  # type: ignore[attr-defined]
            waits.keep_signal(played.run, given.pattern, payload=payload, sender=None).one(self._fleet.database)
            wake_run(self._fleet.database, run_state, waits.deliver(played.run).all(self._fleet.database))
            self._fleet.broker.publish(PROMOTE, "")

    def _consent(self, run: UUID, request: dict[str, Any], token: str) -> None:
        """Store a grant, as the API does when a provider has redirected the user back."""
        holder = Holder(TENANT, request["subject"], request["provider"])
        given = Tokens(token, None, None, 3600).sealed(
            self._fleet.settings["TAXIWAY_SECRET_KEY"], holder, tuple(request["scopes"])
        )
        with self._fleet.database.transaction():
            run_state = waits.lock_run(run, TENANT).one(self._fleet.database)
            assert run_state is not None
            grants.store(holder, given, World(self._fleet.database).provider(holder.provider)).one(self._fleet.database)
            grants.lock(holder.key).one(self._fleet.database)
            wake_run(self._fleet.database, run_state, waits.authorize(run).all(self._fleet.database))
        self._fleet.broker.publish(PROMOTE, "default")

    def _end(self, run: UUID, wait: UUID, told: Answer) -> None:
        if told.outcome in ("timeout", "expired"):
            return  # its time-out is detected by the scheduler
        with self._fleet.database.transaction():
            run_state = waits.lock_run(run, TENANT).one(self._fleet.database)
            assert run_state is not None
            assert told.outcome is not None
            said: dict[str, Any] = {"by": told.by or "test", "answer": told.text, "comment": told.comment}
            over = waits.decide(run, wait, outcome=told.outcome, **said).all(self._fleet.database)
            wake_run(self._fleet.database, run_state, over)
        self._fleet.broker.publish(PROMOTE, "default")

    def _seen(self, played: Played) -> Seen:
        row = self._fleet.run(played.run)
        steps = self._all(_STEPS, {"run": played.run})
        asked = self._all(_ASKED, [played.run])
        error = row["error"] and f"{row['error']['code']} {row['error']['type']}"
        if row["reason"] == Reason.CODE_MISMATCH:
            error = "code_mismatch"
        return Seen(
            row["status"], row["result"], row["reason"], error,
            sorted(named(step["name"], step["status"], step["attempts"], step["approval"]) for step in steps),
            sorted((wait["prompt"], wait["outcome"]) for wait in asked),
            traces(played.log),
        )  # fmt: skip

    def _all(self, sql: str, params: Any) -> list[dict[str, Any]]:
        return self._fleet.database.execute(sql, params).fetchall()


def named(name: str, status: str, attempts: int, approval: str | None) -> str:
    """Return a step as scenarios name it."""
    tries = f" x{attempts}" if attempts > 1 else ""
    return f"{name}{tries}{' ok' if approval else ''}{'' if status == 'succeeded' else '!'}"


def traces(log: Path) -> list[str]:
    """Read the traces that the agent left outside of Taxiway."""
    return log.read_text().splitlines() if log.exists() else []


def _remove(left: list[Given], given: Given) -> None:
    del left[next(place for place, one in enumerate(left) if one is given)]
