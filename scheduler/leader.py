"""Leader session: one scheduler holds the lock, and promotes in the same session that holds it.

The server ends the session when it is silent for two seconds, so a frozen or cut-off leader loses the lock within
seconds. Without the lock it can promote nothing: its connection is gone.
"""

from models.runtime.database import Connection, connect
from models.runtime.session_locks import LEADER

SILENCE_SECONDS = 2


def open_session() -> Connection:
    """Open a session that may become the leader's; raise DatabaseAway."""
    session = connect("scheduler", direct=True)
    session.execute(f"SET idle_session_timeout = '{SILENCE_SECONDS}s'")
    session.execute(f"SET idle_in_transaction_session_timeout = '{SILENCE_SECONDS}s'")
    return session


def try_to_lead(session: Connection) -> bool:
    """Take the leader's lock if it is free; return whether it was taken."""
    row = session.execute("SELECT pg_try_advisory_lock(%s) AS leads", [LEADER]).fetchone()
    return bool(row and row["leads"])
