"""The real API as a separate process; keys and clients for tests, and a read of its tables."""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from ops.ports import free_port
from tests import warm

ROOT = Path(__file__).resolve().parent.parent.parent
ALL_SCOPES = ("enqueue", "read", "decide", "operate", "admin")


@dataclass
class ApiServer:
    """One API process over one database."""

    database_url: str
    redis_url: str
    log: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: warm.Warm | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        ours = {"TAXIWAY_DATABASE_URL": self.database_url, "TAXIWAY_REDIS_URL": self.redis_url, **self.settings}
        return {**os.environ, "PYTHONWARNINGS": "error", **ours}

    def start(self) -> ApiServer:
        command = [sys.executable, "-m", "uvicorn", "api.app:app", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--http", "api.guard:Guard"]
        with self.log.open("ab") as output:
            self.process = warm.start(command, output, self.environment)
        deadline = time.monotonic() + 90  # imports take their time on a busy machine
        while True:
            try:
                httpx.get(f"{self.url}/health", timeout=2, trust_env=False).raise_for_status()
                return self
            except httpx.HTTPError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.05)  # between two polls

    def stop(self, seconds: float = 15) -> float:
        """Ask the process to stop; return how long it took, and kill it if it did not stop."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return time.monotonic() - began

    def key(
        self,
        tenant: str = "acme",
        scopes: tuple[str, ...] = ALL_SCOPES,
        *,
        name: str = "test",
        roles: tuple[str, ...] = (),
    ) -> str:
        """Store a key as `python -m api.keys create` would, without the second that a process takes."""
        secret = f"tw_{secrets.token_urlsafe(32)}"
        with self.connect() as connection:
            connection.execute(
                "INSERT INTO api_key (id, tenant, name, hash, scopes, roles) VALUES (gen_random_uuid(), %s, %s, %s, %s, %s)",
                [tenant, name, hashlib.sha256(secret.encode()).hexdigest(), list(scopes), list(roles)],
            )
        return secret

    def client(self, key: str | None) -> httpx.Client:
        headers = {} if key is None else {"x-api-key": key}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def connect(self) -> psycopg.Connection[dict[str, Any]]:
        return psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row)

    def rows(self) -> dict[str, int]:
        """Count the rows of every table that a refused request could have written to."""
        with self.connect() as connection:
            tables = ("run", "payload", "label", "event", "idempotency", "tenant_share", "tenant_tag", "virtual_time")
            return {
                table: connection.execute(f"SELECT count(*) AS n FROM {table}").fetchone()["n"]  # type: ignore[index]
                for table in tables
            }
