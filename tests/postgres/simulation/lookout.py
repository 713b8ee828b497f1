"""Invariants of a field: read from its rows after each duty that assigns or promotes, and from its event log at the end.

It knows the limits and gates that were set (see `Field`), counts by itself, and does not call the duties.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from models.runtime.database import Row
from tests.postgres.simulation.field import QUIET, SEEN, Field


class Broken(AssertionError):
    """An invariant does not hold."""


def must(holds: bool, what: str, *said: object) -> None:
    if not holds:
        raise Broken(": ".join([what, *(str(part) for part in said)]))


def key_line(run: Row) -> str:
    return f"key:{run['queue']}\n{run['tenant']}\n{run['concurrency_key']}"


def tenant_line(run: Row) -> str:
    return f"tenant:{run['queue']}\n{run['tenant']}"


def in_flight(run: Row) -> bool:
    return run["ticket_at"] is not None or run["lease_worker"] is not None


def parked(run: Row) -> bool:
    return run["ready_at"] is None and run["lease_worker"] is None


def held(run: Row) -> bool:
    return run["status"] == "QUEUED" and run["control_request"] == "pause"


def _lines(places: Iterable[Row]) -> dict[str, set[UUID]]:
    """Return the holders of places, by their lines."""
    found: dict[str, set[UUID]] = {}
    for place in places:
        found.setdefault(place["line"], set()).add(place["run_id"])
    return found


class Lookout:
    """Checks one field."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.seen = {queue: dict(QUIET) for queue in field.queues}
        """What the leader knows of lines: as it was said when places were given last."""
        self.starts: dict[str, list[datetime]] = {queue: [] for queue in field.queues}
        self.gone: set[UUID] = set()
        self.holders: set[UUID] = set()
        self.lines: dict[str, set[UUID]] = {}

    # ------------------------------------------------------------------------------------------------- after a promotion
    def promoted(self, before: dict[UUID, Row], runs: list[UUID]) -> None:
        """Check the new tickets against the settings and against the earlier rows."""
        after = {run["id"]: run for run in self.field.runs()}
        must(len(runs) == len(set(runs)), "a run is promoted once in a turn")
        offering = self.field.offering()
        for run in runs:
            self._may_go(before[run], offering)
        chosen = [after[run] for run in runs if run in after]
        flying = [run for run in after.values() if in_flight(run)]
        for queue in {run["queue"] for run in chosen}:
            self._slots(queue, flying, offering)
            self._of_queue(queue, [run for run in chosen if run["queue"] == queue], flying)
        self._of_agents(chosen, flying)
        self._of_lines(chosen, flying)

    def _may_go(self, run: Row, offering: list[Row]) -> None:
        field, now = self.field, self.field.clock.now
        rule, agent = field.rules[run["queue"]], field.agents[run["agent"]]
        must(run["status"] in ("QUEUED", "RUNNING") and not in_flight(run), "only a ready run is promoted", run)
        must(run["control_request"] is None, "nothing is promoted of which something is asked", run)
        must(run["blocked_on"] is None, "nothing is promoted that is held back", run)
        for window in (run["window_name"], rule["window"], agent["window"]):
            must(field.is_open(window), "nothing is promoted while its window is closed", window)
        must(not rule["paused"], "nothing is promoted in a paused queue")
        must(not agent["paused"], "nothing is promoted of a paused agent")
        if not run["resumed"]:
            must(not rule["cordoned"], "nothing new is promoted in a cordoned queue")
            must(run["not_before"] is None or run["not_before"] <= now, "nothing begins before its time")
        served = {name for worker in offering if worker["queue"] == run["queue"] for name in worker["agents"]}
        must(run["agent"] in served, "nothing is promoted that no worker serves")

    def _slots(self, queue: str, flying: list[Row], workers: list[Row]) -> None:
        offering = {worker["id"]: worker["slots"] for worker in workers if worker["queue"] == queue}
        tickets = sum(run["queue"] == queue and run["ticket_at"] is not None for run in flying)
        leases = sum(run["lease_worker"] in offering for run in flying)
        must(
            tickets + leases <= sum(offering.values()), "tickets and leases are never more than slots", tickets, leases
        )

    def _of_queue(self, queue: str, chosen: list[Row], flying: list[Row]) -> None:
        rule, now = self.field.rules[queue], self.field.clock.now
        count = sum(run["queue"] == queue for run in flying)
        must(count <= (rule["limit"] or count), "a queue has never more in flight than its limit", count)
        if rule["rate"] is None:
            self.starts[queue] = []
            return
        self.starts[queue] += [now] * sum(not run["resumed"] for run in chosen)
        since = now - timedelta(milliseconds=rule["rate"]["per_ms"])
        count = sum(at > since for at in self.starts[queue])
        fresh = any(not run["resumed"] for run in chosen)
        must(not fresh or count <= rule["rate"]["limit"], "never more start within a period than the rate says", count)

    def _of_agents(self, chosen: list[Row], flying: list[Row]) -> None:
        for name in {run["agent"] for run in chosen}:
            limit, count = self.field.agents[name]["limit"], sum(run["agent"] == name for run in flying)
            must(count <= (limit or count), "an agent has never more in flight than its limit", count)

    def _of_lines(self, chosen: list[Row], flying: list[Row]) -> None:
        tenants = Counter(tenant_line(run) for run in flying)
        keys = Counter(key_line(run) for run in flying if run["concurrency_key"])
        for run in chosen:
            rule, limit = self.field.rules[run["queue"]], self.seen[run["queue"]]["tenant_limit"]
            count = tenants[tenant_line(run)]
            must(count <= (limit or count), "a tenant has never more in flight than its limit", count)
            # A run that held its key while it was parked continues, however few places the key has by now.
            if run["concurrency_key"] and not (rule["hold_keys"] and run["resumed"]):
                count = keys[key_line(run)]
                must(count <= rule["key_limit"], "a key has never more in flight than its limit", count)

    # ----------------------------------------------------------------------------------------------- after places are given
    def placed(self, *, undisturbed: bool) -> None:
        """Check the places; a turn in which another connection held runs may leave rechecks for the next."""
        if not undisturbed:
            for queue, rule in self.field.rules.items():
                seen = self.seen[queue]
                for word in ("tenant_limit", "key_limit"):
                    both = (seen[word], rule[word])
                    seen[word] = None if None in both else max(both)  # type: ignore[type-var]
                seen["hold_keys"] = seen["hold_keys"] or rule["hold_keys"]
            self.lines = _lines(self._places())
            return
        before, self.seen = self.seen, {queue: dict(rule) for queue, rule in self.field.rules.items()}
        runs = self.field.runs()
        places = self._places()
        self._are_due(runs, places)
        self._are_kept(runs, places, {queue for queue in before if before[queue]["hold_keys"]})
        self._none_comes_to_a_crowd(runs, places)
        self._none_is_idle(runs, places)

    def _places(self) -> list[Row]:
        columns = ", ".join(f"run.{column.strip()}" for column in SEEN.split(","))
        sql = f"""SELECT place.line, place.run_id, {columns} FROM place JOIN run ON run.id = place.run_id
            WHERE run.queue = ANY(%s)"""
        return self.field.connection.execute(sql, [self.field.queues]).fetchall()

    def _are_due(self, runs: list[Row], places: list[Row]) -> None:
        holding: dict[UUID, set[str]] = {}
        for place in places:
            must(place["line"] in (key_line(place), tenant_line(place)), "a run holds places of its own lines", place)
            must(place["finished_at"] is None, "a run that has ended holds no place", place["line"])
            must(not held(place), "a run that is held holds no place", place["line"])
            holds = place["line"].startswith("key:") and self.seen[place["queue"]]["hold_keys"]
            must(holds or not parked(place), "a parked run holds no place", place["line"])
            holding.setdefault(place["run_id"], set()).add(place["line"])
        for run in [run for run in runs if in_flight(run)]:
            if run["concurrency_key"]:
                must(key_line(run) in holding.get(run["id"], ()), "what is in flight holds a place of its key")
            if self.seen[run["queue"]]["tenant_limit"]:
                must(tenant_line(run) in holding.get(run["id"], ()), "what is in flight holds a place of its tenant")

    def _are_kept(self, runs: list[Row], places: list[Row], since_before: set[str]) -> None:
        """Check that each earlier holder of a key still has it, if the queue holds keys since then."""
        holders = {place["run_id"] for place in places if place["line"].startswith("key:")}
        for run in [run for run in runs if run["id"] in self.holders and parked(run)]:
            kept = run["queue"] in since_before and self.seen[run["queue"]]["hold_keys"]
            must(
                not kept or run["id"] in holders,
                "a parked run keeps its key where keys are held",
                self.field.short[run["id"]],
            )
        self.holders = holders

    def _none_comes_to_a_crowd(self, runs: list[Row], places: list[Row]) -> None:
        """Check that no place was given beyond the limit, except to runs that were already in flight."""
        before, flying = self.lines, {run["id"] for run in runs if in_flight(run)}
        self.lines = _lines(places)
        for line, holders in self.lines.items():
            limit = self._limit(line, line.partition(":")[2].partition("\n")[0])
            fresh = holders - before.get(line, set()) - flying
            must(not fresh or limit is None or len(holders) <= limit, "no place is given beyond the limit", line)

    def _none_is_idle(self, runs: list[Row], places: list[Row]) -> None:
        taken = Counter(place["line"] for place in places)
        for run in runs:
            line = run["blocked_on"] or ""
            must(line != "place" or held(run), "who asks for a place is sent to a line", self.field.short[run["id"]])
            if line.startswith(("key:", "tenant:")) and self._gates_are_open(run):
                limit = self._limit(line, run["queue"])
                must(limit is not None and taken[line] >= limit, "nobody waits in a line that has a free place", line)

    def _gates_are_open(self, run: Row) -> bool:
        agent = self.field.agents[run["agent"]]
        opened = self.field.is_open(run["window_name"]) and self.field.is_open(agent["window"])
        return opened and not agent["paused"]

    def _limit(self, line: str, queue: str) -> Any:
        return self.seen[queue]["key_limit" if line.startswith("key:") else "tenant_limit"]

    def skipped(self) -> None:
        """Check the skipped runs of this step: a run that ended in it keeps its places until the next."""
        if "skip" not in self.field.layout.conflicts:
            return
        sql = "SELECT * FROM run WHERE queue = ANY(%s) AND reason IN ('skipped', 'superseded') AND id <> ALL(%s)"
        rows = self.field.connection.execute(sql, [self.field.queues, list(self.gone)]).fetchall()
        self.gone |= {run["id"] for run in rows}
        before = Counter(place["line"] for place in self._places()) if rows else Counter()
        before += Counter(run["blocked_on"] for run in self.field.runs() if run["blocked_on"]) if rows else Counter()
        before += Counter(key_line(run) for run in rows if run["reason"] == "superseded")
        for run in [run for run in rows if run["reason"] == "skipped"]:
            must(run["on_conflict"] == "skip" and run["started_at"] is None, "only who said so is skipped", run)
            free = self.field.rules[run["queue"]]["key_limit"] - before[key_line(run)]
            must(free <= 0, "a run is skipped only when no place was free", self.field.short[run["id"]])

    # ---------------------------------------------------------------------------------------------------------- at the end
    def over(self) -> None:
        """Check that all runs have ended, that their events agree, and that nothing is left behind."""
        must(not self.field.runs(), "everything that was accepted ends")
        must(not self._places(), "nobody holds a place in the end")
        sql = """SELECT event.*, run.seq AS last FROM event JOIN run ON run.id = event.run_id
            WHERE queue = ANY(%s) ORDER BY run_id, event.seq"""
        told: dict[UUID, list[Row]] = {run: [] for run in self.field.short}
        for event in self.field.connection.execute(sql, [self.field.queues]).fetchall():
            told[event["run_id"]].append(event)
        for run, events in told.items():
            self._tells(self.field.short[run], events)

    @staticmethod
    def _tells(run: str, events: list[Row]) -> None:
        must([event["seq"] for event in events] == list(range(1, events[0]["last"] + 1)), "no event is missing", run)
        must(all(b["status_was"] == a["status"] for a, b in pairwise(events)), "each event follows the one before", run)
        verbs = [event["verb"] for event in events]
        must(verbs[0] == "enqueue" and verbs.count("start") <= 1, "a run starts once", run, verbs)
        ends: Iterable[bool] = (event["type"] == "end" for event in events)
        must(list(ends) == [False] * (len(events) - 1) + [True], "a run ends once, and last", run, verbs)
