"""Answers to agents' questions about grants: whether one is usable, its token, and the successor of a lost one.

A token is renewed by one worker only, before it expires: that worker locks the grant's row while it renews, and a worker that
waited for the row finds the new token there. The new refresh token of each renewal is stored in the same transaction. All this
happens in threads of its own: a provider may be slow, and a slot has clocks to watch.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import psycopg

from executor.activation.reading import Read
from models.authorization import grants, oauth_client
from models.authorization.grants import HeldGrant, Holder
from models.authorization.oauth_client import Speaker
from models.errors import DatabaseAway, ProviderAway, ProviderRefused, SealBroken
from models.runtime.database import Connection, connect
from models.runtime.facts import fact

THREADS = 4
_GONE = ("invalid_grant", "invalid_token")  # a provider's codes for: a person has to authorize again


@dataclass(frozen=True, slots=True)
class Asked:
    """A host's question about a grant (`find`, `token`, or a successor because it `lost` a version), with its scopes."""

    want: str
    holder: Holder
    scopes: tuple[str, ...]
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    """The answer: usable, with its token if that was wanted; lost; or, for the reason `why`, neither."""

    usable: bool = False
    lost: bool = False
    token: str | None = field(default=None, repr=False)
    version: int | None = None
    why: str = ""


LOST = Granted(lost=True)


class Authorizations:
    """Answers in its own threads. Any thread may ask."""

    def __init__(self, secret_key: str, read: Read, connect_to: Callable[[str], Connection] = connect) -> None:
        self._secret_key, self._read, self._connect = secret_key, read, connect_to
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="grants")

    def ask(self, asked: Asked, answer: Callable[[Granted], None]) -> None:
        """Queue a question; `answer` is called in one of the threads."""
        self._threads.submit(lambda: answer(self.answered(asked)))

    def stop(self) -> None:
        """Answer no further questions."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def answered(self, asked: Asked) -> Granted:
        """Answer a question; every error is an answer too, because an agent waits for it."""
        try:
            return self._answered(asked)
        except (SealBroken, ProviderAway, ProviderRefused) as error:
            fact("grant.unavailable", level="warning", provider=asked.holder.provider, why=error)
            return Granted(why=str(error))
        except (DatabaseAway, psycopg.OperationalError, psycopg.InterfaceError):
            return Granted(why="the database cannot be reached at the moment")
        except Exception:  # noqa: BLE001  an agent waits for the answer
            fact("grant.failed", level="exception", provider=asked.holder.provider)
            return Granted(why="the worker failed; its log says why")

    def _answered(self, asked: Asked) -> Granted:
        row = self._held(asked.holder)
        # A grant of another giver was not tried by this step: it stays as it is, in case its giver returns.
        if asked.want == "lost" and row is not None and row.live:
            with self._connect("grants") as connection:
                if grants.lose(asked.holder, asked.version).one(connection):
                    fact("grant.lost", provider=asked.holder.provider)
            row = self._held(asked.holder)
        found = self._judged(asked, row)
        return self._renewed(asked) if found is None else found

    def _held(self, holder: Holder) -> HeldGrant | None:
        rows = self._read(grants.held(holder))
        return rows[0] if rows else None

    def _judged(self, asked: Asked, row: HeldGrant | None) -> Granted | None:
        """Return the answer by the grant's row; None if its token must be renewed first."""
        if row is None or not row.live or not set(asked.scopes) <= set(row.scopes):
            return LOST
        if asked.want != "token":
            return Granted(usable=True)
        if not row.fresh and row.refreshable:
            return None
        token = oauth_client.opened(self._secret_key, asked.holder, row.sealed).access
        return Granted(usable=True, token=token, version=row.version)

    def _renewed(self, asked: Asked) -> Granted:
        with self._connect("grants") as connection, connection.transaction():
            grants.hold(asked.holder).one(connection)
            row = grants.held(asked.holder).one(connection)
            if (found := self._judged(asked, row)) is not None:
                return found  # another transaction renewed or revoked it while this one waited for the row
            assert row is not None
            speaker = self._giver(connection, asked.holder, row)
            if speaker is None:
                return LOST
            try:
                self._renew(connection, asked.holder, row, speaker)
            except (ProviderAway, ProviderRefused) as error:
                if isinstance(error, ProviderRefused) and error.code in _GONE:
                    grants.lose(asked.holder, row.version).one(connection)
                    fact("grant.lost", provider=asked.holder.provider)
                    return LOST
                if not row.valid:
                    raise
                fact("grant.not_renewed", level="warning", provider=asked.holder.provider, why=error)
            # Read as it is now: renewed, or not renewable at the moment and still valid for a while.
            row = grants.held(asked.holder).one(connection)
            return self._judged(asked, row and replace(row, fresh=True)) or LOST

    def _giver(self, connection: Connection, holder: Holder, row: HeldGrant) -> Speaker | None:
        """Return the client of the grant's giver. The row that is compared here is the one whose address is then called."""
        registered = oauth_client.find(holder.provider).one(connection)
        if registered is None or not registered.giver.gave(row.giver):
            return None
        return Speaker.of(registered, self._secret_key)

    def _renew(self, connection: Connection, holder: Holder, row: HeldGrant, speaker: Speaker) -> None:
        kept = oauth_client.opened(self._secret_key, holder, row.sealed)
        assert kept.refresh is not None, "the row says that it is refreshable"
        tokens = speaker.refresh(kept.refresh)
        given = tokens.sealed(self._secret_key, holder, tuple(row.scopes))
        grants.refreshed(holder, given).one(connection)
        fact("grant.refreshed", provider=holder.provider)
