"""The session that leads: one scheduler holds the lock, and promotes on the very session that holds it.

The server ends the session when it is silent for two seconds, so a frozen or cut-off leader loses the lock within
seconds, and having lost it can promote nothing: its connection is gone.
"""

from models.runtime.database import Connection, connect
from models.runtime.session_locks import LEADER

SILENCE_SECONDS = 2


def open_session() -> Connection:
    """Open a session that may become the leader's; raises DatabaseAway."""
    session = connect("scheduler", direct=True)
    session.execute(f"SET idle_session_timeout = '{SILENCE_SECONDS}s'")
    session.execute(f"SET idle_in_transaction_session_timeout = '{SILENCE_SECONDS}s'")
    return session


def try_to_lead(session: Connection) -> bool:
    """Take the leader's lock if it is free."""
    row = session.execute("SELECT pg_try_advisory_lock(%s) AS leads", [LEADER]).fetchone()
    return bool(row and row["leads"])
