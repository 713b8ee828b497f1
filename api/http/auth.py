"""Authentication and scopes of API keys: 401 without a valid key, 403 without the scope."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from fastapi import Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from api.http.problems import Problem
from api.keys import store

TRUSTED_SECONDS = 5.0
_MOST_KNOWN = 10_000
_CHALLENGE = {"www-authenticate": 'ApiKey header="x-api-key", Bearer'}

_in_header = APIKeyHeader(name="x-api-key", auto_error=False, scheme_name="apiKey")
_as_bearer = HTTPBearer(auto_error=False, scheme_name="bearer")


@dataclass(frozen=True, slots=True)
class Caller:
    """The key behind a call: its tenant, what it may do, and the roles of its holder."""

    key: UUID
    name: str
    tenant: str
    scopes: frozenset[str]
    roles: frozenset[str] = frozenset()


class _KnownKeys:
    """Cache of keys that were valid a moment ago; unknown and revoked keys are never cached."""

    def __init__(self) -> None:
        self._callers: dict[str, tuple[float, Caller]] = {}

    def get(self, digest: str) -> Caller | None:
        until, caller = self._callers.get(digest, (0.0, None))
        return caller if time.monotonic() < until else None

    def last(self, digest: str) -> Caller | None:
        """Return the caller that this key had at its last lookup, however long ago."""
        return self._callers.get(digest, (0.0, None))[1]

    def put(self, digest: str, caller: Caller) -> None:
        if len(self._callers) >= _MOST_KNOWN:
            self._callers.clear()
        self._callers[digest] = (time.monotonic() + TRUSTED_SECONDS, caller)

    def forget(self) -> None:
        self._callers.clear()


_known = _KnownKeys()


def forget_keys() -> None:
    """Forget all cached keys, so that a revocation takes effect immediately in this process."""
    _known.forget()


def last_known_caller(secret: str) -> Caller | None:
    """Return the caller that this key had at its last lookup here: enough to assign turns, not to authorize."""
    return _known.last(store.digest(secret))


def _look_up(secret: str) -> Caller | None:
    key = store.find(secret)
    return Caller(key.id, key.name, key.tenant, frozenset(key.scopes), frozenset(key.roles)) if key else None


async def _caller(
    header: str | None = Security(_in_header), bearer: HTTPAuthorizationCredentials | None = Security(_as_bearer)
) -> Caller:
    secret = header or (bearer.credentials if bearer else "")
    if not secret:
        detail = "Send an API key in the header x-api-key."
        raise Problem("unauthenticated", detail, headers=_CHALLENGE)
    digest = store.digest(secret)
    caller = _known.get(digest)
    if caller is None:
        caller = await run_in_threadpool(_look_up, secret)
        if caller is None:
            raise invalid_key()
        _known.put(digest, caller)
    return caller


def invalid_key() -> Problem:
    """Return the Problem for a key that never existed or was revoked."""
    return Problem("unauthenticated", "This API key is not valid, or was revoked.", headers=_CHALLENGE)


def may(*scopes: str) -> Callable[[Caller], Awaitable[Caller]]:
    """Return a dependency that returns the caller, or raises Problem `forbidden` if its key has none of these scopes."""

    async def caller_with_scope(caller: Caller = Security(_caller)) -> Caller:
        if caller.scopes.isdisjoint(scopes):
            raise Problem("forbidden", f"This call needs an API key with the scope {' or '.join(scopes)}.")
        return caller

    caller_with_scope.scopes = scopes  # type: ignore[attr-defined]  # `api.http.openapi` reads it
    return caller_with_scope
