"""Sampler: watches slots, ended runs, Valkey's keys and promotions during an exercise."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis

from models.runtime.redis_client import open_redis
from ops.chaos.journal import Journal
from ops.chaos.measures import Gap, Slots
from ops.chaos.observer import Observer

EVERY = 0.1
HASH_EVERY, KEYS_EVERY = 2.0, 3.0
NOTABLE = 0.5
"""Gaps of more seconds are recorded."""

CAPACITY = """
    WITH offering AS (
        SELECT id, slots FROM worker WHERE dead_at IS NULL AND NOT draining AND lease_until > now()
            AND consuming_at > now() - interval '10 s' AND agents <> '{}'
    ), leased AS (
        SELECT lease_worker AS id, count(*)::int AS runs FROM run WHERE lease_worker IS NOT NULL GROUP BY lease_worker
    )
    SELECT coalesce((SELECT json_agg(id ORDER BY id) FROM offering), '[]') AS workers,
        (SELECT coalesce(sum(slots), 0) FROM offering)::int AS slots,
        (SELECT coalesce(sum(runs), 0) FROM leased JOIN offering USING (id))::int AS leased,
        (SELECT coalesce(sum(greatest(0, slots - coalesce(runs, 0))), 0) FROM offering LEFT JOIN leased USING (id))::int AS open,
        (SELECT count(*) FROM run WHERE ticket_at IS NOT NULL)::int AS tickets,
        (SELECT count(*) FROM run WHERE ready_at IS NOT NULL AND ticket_at IS NULL AND blocked_on IS NULL
            AND control_request IS NULL)::int AS waiting,
        (SELECT max(promoted_at)::text FROM run) AS promoted_at, (SELECT max(claimed_at)::text FROM run) AS claimed_at,
        (SELECT json_agg(json_build_array(worker.name, runs)) FROM leased JOIN worker USING (id) WHERE runs > slots) AS overfull
    """
ENDED = """
    SELECT run.id::text AS id, md5(run::text || payload::text) AS hash FROM run JOIN payload ON payload.run_id = run.id
    WHERE finished_at IS NOT NULL
    """
STANDS = """
    SELECT status, reason, seq, epoch, step_count, log_lines, finished_at::text, updated_at::text FROM run WHERE id = %s::uuid
    """


class Sampler:
    """Call `step` every so often from one thread."""

    def __init__(self, observer: Observer, journal: Journal, redis_url: str, secrets: list[str]) -> None:
        self._observer, self._journal, self._secrets = observer, journal, secrets
        self._redis_url = redis_url
        self._slots, self._gaps = Slots(), {"promotion": Gap(), "claim": Gap()}
        self._hashes: dict[str, str] = {}
        self._hash_at = self._keys_at = 0.0
        self.last: dict[str, Any] = {}

    def step(self) -> None:
        """Look once."""
        row = self._observer.rows(CAPACITY)[0]
        now = time.monotonic()
        self.last = row
        if wrong := self._slots.look(now, row):
            self._journal.complain("10 slots", "", wrong)
        self._note_gap("promotion", now, row["waiting"] > 0 and row["open"] > row["tickets"], row["promoted_at"])
        self._note_gap("claim", now, row["waiting"] + row["tickets"] > 0 and row["open"] > 0, row["claimed_at"])
        if now > self._hash_at + HASH_EVERY:
            self._hash_at = now
            self.look_at_ended()
        if now > self._keys_at + KEYS_EVERY:
            self._keys_at = now
            self.look_at_keys()

    def _note_gap(self, what: str, now: float, could: bool, mark: object) -> None:
        length = self._gaps[what].look(now, could, mark)
        if length > NOTABLE:
            ended = time.time()
            during = {
                one.fault
                for one in self._journal.incidents
                if one.began < ended and (one.ended or ended) > ended - length - 2
            }
            gap = {"of": what, "seconds": round(length, 2), "ended": ended, "during": sorted(during)}
            self._journal.gaps.append(gap)

    def look_at_ended(self) -> None:
        """Compares every ended run with its first sample after the end."""
        found = {row["id"]: row["hash"] for row in self._observer.rows(ENDED)}
        for run, known in self._hashes.items():
            if found.get(run) != known:
                now = self._observer.rows(STANDS, [run])
                self._journal.complain("1 terminal", run, f"its row or payload changed after its end; now it is {now}")
        self._hashes.update(found)

    def look_at_keys(self) -> None:
        """Searches Valkey's keys for payloads and credentials, which must be in none."""
        try:
            with open_redis(self._redis_url) as client:
                for key in client.scan_iter(count=500):
                    content = _content(client, key)
                    if any(secret in content for secret in self._secrets):
                        self._journal.complain("11 secrets", "", f"a payload or credential is in the key {key!r}")
        except redis.RedisError:
            return  # it is restarting; try again next time


def _content(client: redis.Redis, key: bytes) -> str:
    """Return a key's name and content as text."""
    read: dict[bytes, Callable[[], Any]] = {
        b"string": lambda: client.get(key),
        b"list": lambda: client.lrange(key, 0, -1),
        b"hash": lambda: client.hgetall(key),
        b"set": lambda: client.smembers(key),
        b"zset": lambda: client.zrange(key, 0, -1),
    }
    kind: Any = client.type(key)
    return f"{key!r} {read[kind]()!r}" if kind in read else repr(key)
