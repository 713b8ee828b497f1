"""Health check of this container's process: `python -m ops.health api|scheduler|worker`, exit 0 or 1.

For the API it is a request. Schedulers and workers hold database sessions, which PostgreSQL ends if the process hangs. So they
are healthy while a session of theirs, from this address, is open.
"""

from __future__ import annotations

import sys

import httpx
import psycopg

from models.errors import TaxiwayError
from models.runtime.settings import settings

READY = "http://127.0.0.1:8000/ready"
SESSIONS = {"scheduler": "taxiway scheduler", "worker": "taxiway lease"}
PATIENCE = 4


def api_is_ready() -> bool:
    try:
        return httpx.get(READY, timeout=PATIENCE).is_success
    except httpx.HTTPError:
        return False


def session_is_open(name: str) -> bool:
    """Return whether a session named `name` is open from our own address."""
    try:
        with psycopg.connect(settings().direct_url, connect_timeout=PATIENCE) as connection:
            row = connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE starts_with(application_name, %s)"
                " AND datname = current_database() AND client_addr IS NOT DISTINCT FROM inet_client_addr()",
                [name],
            ).fetchone()
    except psycopg.OperationalError:
        return False
    return row is not None


def main(kind: str) -> int:
    healthy = api_is_ready() if kind == "api" else session_is_open(SESSIONS[kind])
    return 0 if healthy else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except TaxiwayError as error:
        sys.exit(str(error))
