"""Runs in a given situation, written directly as rows, and read back with everything that belongs to them."""

from __future__ import annotations

import os
from dataclasses import astuple, dataclass
from typing import Any
from uuid import UUID

import psycopg

from models.authorization.givers import Giver
from models.ids import new_id

TENANT = "acme"
AGENT = "echo"
EPOCH = 7

# The columns of the run row in each situation, and the verbs that led there: one event each. Situations with the same
# status differ by the holder of the run and by its requests.
_TICKET = {"ready_at": "now()", "ticket_at": "now()", "ticket_n": "1"}
_LEASE = {"status": "'RUNNING'", "lease_worker": "%(worker)s", "claimed_at": "now() - interval '2 s'"}
_PAUSE = {"control_request": "'pause'", "control_at": "now()"}
_CANCEL = {"control_request": "'cancel'", "control_at": "now()", "control_grace_ms": "5000", "control_by": "'ann'"}
_BLOCKED = {"ready_at": "now()", "blocked_on": "'declined'", "blocked_until": "now() - interval '1 s'"}
_STARTED = ("enqueue", "start")
_ENDED = {"finished_at": "now()"}

SITUATIONS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "queued": ({"ready_at": "now()"}, ("enqueue",)),
    "held": ({"ready_at": "now()", **_PAUSE}, ("enqueue",)),
    "blocked": (_BLOCKED, ("enqueue",)),
    "expired": ({"ready_at": "now()", "expires_at": "now() - interval '1 s'"}, ("enqueue",)),
    "promoted": (_TICKET, ("enqueue",)),
    "promoted and held": ({**_TICKET, **_PAUSE}, ("enqueue",)),
    "executing": (_LEASE, _STARTED),
    "pausing": ({**_LEASE, **_PAUSE}, _STARTED),
    "closing": ({**_LEASE, "control_request": "'window'", "control_reason": "'night'", "control_at": "now()"}, _STARTED),
    "canceling": ({**_LEASE, **_CANCEL}, _STARTED),
    "overdue": ({**_LEASE, **_CANCEL, "control_at": "now() - interval '11 s'"}, _STARTED),
    "ready": ({"status": "'RUNNING'", "ready_at": "now()", "resumed": "TRUE"}, (*_STARTED, "recover")),
    "cleared": ({"status": "'RUNNING'", "resumed": "TRUE", **_TICKET}, (*_STARTED, "recover")),
    "auth required": ({"status": "'AUTH_REQUIRED'"}, (*_STARTED, "require_authorization")),
    "paused for approval": ({"status": "'PAUSED'", "pause_kind": "'approval'"}, (*_STARTED, "await_approval")),
    "paused for approval, to pause": (
        {"status": "'PAUSED'", "pause_kind": "'approval'", **_PAUSE}, (*_STARTED, "await_approval"),
    ),
    "paused by user": ({"status": "'PAUSED'", "pause_kind": "'user'"}, (*_STARTED, "pause_by_user")),
    "paused by agent": ({"status": "'PAUSED'", "pause_kind": "'agent'"}, (*_STARTED, "pause_by_agent")),
    "succeeded": ({"status": "'SUCCESS'", **_ENDED}, (*_STARTED, "succeed")),
    "failed": ({"status": "'FAILED'", **_ENDED}, (*_STARTED, "fail")),
    "canceled": ({"status": "'CANCELED'", **_ENDED}, (*_STARTED, "cancel")),
}  # fmt: skip
TERMINAL = ("succeeded", "failed", "canceled")


@dataclass(frozen=True)
class Made:
    """A run that the factory made, with the right of its worker."""

    id: UUID
    epoch: int
    worker: UUID


class World:
    """Writes rows over one connection and reads them completely."""

    def __init__(self, connection: psycopg.Connection[dict[str, Any]]) -> None:
        self.connection = connection

    def worker(self, *, queue: str = "default", agents: list[str] | None = None, **columns: Any) -> UUID:
        """Register a live worker that serves the usual agent."""
        worker = new_id()
        values = {
            "id": worker, "name": "w", "host": "h", "pid": os.getpid(), "queue": queue, "slots": 4, "liveness_key": 1,
            "agents": [AGENT] if agents is None else agents, **columns,
        }  # fmt: skip
        self.insert("worker", values, lease_until="now() + interval '15 s'")
        return worker

    def run(self, situation: str, *, worker: UUID | None = None, epoch: int = EPOCH, **columns: Any) -> Made:
        """Create a run in the situation, with its payload and its events; `columns` are values, not expressions."""
        expressions, verbs = SITUATIONS[situation]
        made = Made(new_id(), epoch, worker or self.worker())
        values = {"id": made.id, "tenant": TENANT, "agent": AGENT, "queue": "default", "epoch": epoch, **columns}
        kept = {name: text for name, text in expressions.items() if name not in columns}
        self.insert("run", {**values, "seq": len(verbs)}, parameters={"worker": made.worker}, **kept)
        self.insert("payload", {"run_id": made.id, "tenant": TENANT, "input": '{"n": 1}'})
        for seq, verb in enumerate(verbs, start=1):
            self.insert(
                "event",
                {"run_id": made.id, "seq": seq, "tenant": TENANT, "type": "status", "verb": verb, "status": "QUEUED"},
            )
        return made

    def step(self, run: UUID, key: str, status: str, **columns: Any) -> None:
        """Create a step row of the run."""
        values = {
            "run_id": run,
            "key": key,
            "tenant": TENANT,
            "name": key,
            "digest": "",
            "occurrence": 1,
            "attempts": 1,
        }
        self.insert("step", {**values, "status": status, **columns})

    def provider(self, name: str = "bank", at: str = "bank") -> Giver:
        """Create a provider of this name, with addresses `at` a host; return the identity to which its grants are bound."""
        giver = Giver(f"https://{at}.example/token", "taxiway", f"https://{at}.example/revoke")
        row = self.connection.execute("SELECT * FROM provider WHERE name = %s", [name]).fetchone()
        if row is not None and (row["token_url"], row["client_id"], row["revocation_url"]) == astuple(giver):
            return giver  # unlocked: other tests may be storing grants of it
        self.connection.execute(
            """INSERT INTO provider (name, authorize_url, token_url, client_id, revocation_url)
            VALUES (%(name)s, %(authorize_url)s, %(token_url)s, %(client_id)s, %(revocation_url)s)
            ON CONFLICT (name) DO UPDATE SET authorize_url = excluded.authorize_url, token_url = excluded.token_url,
                client_id = excluded.client_id, revocation_url = excluded.revocation_url""",
            {"name": name, "authorize_url": f"https://{at}.example/authorize", **giver.params()},
        )
        return giver

    def insert(
        self, table: str, values: dict[str, Any], parameters: dict[str, Any] | None = None, **texts: str
    ) -> None:
        """Insert a row of values and of SQL expressions."""
        names = [*values, *texts]
        written = [f"%({name})s" for name in values] + list(texts.values())
        self.connection.execute(
            f'INSERT INTO "{table}" ({", ".join(names)}) VALUES ({", ".join(written)})',
            {**values, **(parameters or {})},
        )

    def row(self, run: UUID) -> dict[str, Any]:
        """Read the run row."""
        row = self.connection.execute("SELECT * FROM run WHERE id = %s", [run]).fetchone()
        assert row is not None
        return row

    def whole(self, run: UUID) -> dict[str, list[dict[str, Any]]]:
        """Read every row of every table that belongs to the run, to compare it completely."""
        tables = {
            "run": "id",
            "payload": "run_id",
            "event": "run_id",
            "step": "run_id",
            "log": "run_id",
            "wait": "run_id",
            "turn": "run_id",
            "held": "run_id",
        }
        return {
            table: self.connection.execute(
                f'SELECT * FROM "{table}" AS t WHERE {key} = %s ORDER BY t::text', [run]
            ).fetchall()
            for table, key in tables.items()
        }

    def events(self, run: UUID) -> list[dict[str, Any]]:
        """Read the run's events in their order."""
        return self.connection.execute("SELECT * FROM event WHERE run_id = %s ORDER BY seq", [run]).fetchall()

    def payload(self, run: UUID) -> dict[str, Any]:
        """Read the run's input, result and error."""
        row = self.connection.execute("SELECT * FROM payload WHERE run_id = %s", [run]).fetchone()
        assert row is not None
        return row
