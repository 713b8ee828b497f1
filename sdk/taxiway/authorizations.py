"""Authorizations and grants: an agent holds a grant, which names an authorization and never contains a token.

A grant may be an argument, a value of a step or a result: it is equal in every activation. A step asks for the token when
it needs one, and the worker renews tokens before they expire.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from taxiway.approvals import OnDeny
from taxiway.choices import check_choice
from taxiway.durations import Duration, until
from taxiway.encode import type_name
from taxiway.errors import DENIED, AuthorizationDenied, AuthorizationLost, AuthorizationUnavailable, Halt
from taxiway.forks import refuse_in_child
from taxiway.outside_step import refusal
from taxiway.storable_text import storable
from taxiway.waits import TIMED_OUT, Settled, Wish

AUTHORIZATION: Final = "authorization"
LONGEST: Final = 24 * 3600.0
"""Seconds after which an authorization times out by default."""
_PROVIDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")  # RFC 6749, section 3.3
_MAX_SUBJECT: Final = 500
_MAX_SCOPES: Final = 100


@dataclass(frozen=True)
class Grant:
    """An authorization of `subject` at `provider` for `scopes`. It holds no token and may be passed to steps."""

    provider: str
    subject: str
    scopes: tuple[str, ...] = ()

    def token(self) -> str:
        """Return an access token that is valid now. Call it inside a `def` step only, and do not keep the token.

        Raises AuthorizationLost if the authorization was revoked or lacks scopes. Do not catch it in the step: the run then
        waits for a new authorization and repeats the step. Raises AuthorizationUnavailable if no token is available now.
        """
        if _in_event_loop():
            raise RuntimeError("grant.token() would block the event loop; in an async step use: await grant.atoken()")
        return self._read(self._ask().result())

    async def atoken(self) -> str:
        """Return an access token as `token` does, inside an `async def` step."""
        import asyncio  # noqa: PLC0415 - a `def` agent needs no asyncio

        return self._read(await asyncio.wrap_future(self._ask()))

    def _ask(self) -> Future[Any]:
        refuse_in_child("grant.token()")
        if (source := token_source.get()) is None:
            raise refusal("grant.token()", "pass the grant to a step")
        return source(self)

    def _read(self, answer: Any) -> str:
        if answer.token is not None:
            return str(answer.token)
        if answer.lost:
            raise AuthorizationLost(self)
        raise AuthorizationUnavailable(self.provider, answer.why)


token_source: Final[ContextVar[Callable[[Grant], Future[Any]] | None]] = ContextVar("taxiway_tokens", default=None)
"""Asks the worker for the token of a grant. Set inside steps only, because an agent must not keep or record a token."""


@dataclass(frozen=True)
class AuthorizationWish(Wish):
    """A wait for a person's authorization."""

    @property
    def grant(self) -> Grant:
        """The requested grant."""
        return Grant(self.request["provider"], self.request["subject"], tuple(self.request["scopes"]))

    @property
    def title(self) -> str:
        """The provider."""
        return str(self.request["provider"])

    def answered(self, settled: Settled, answer: Any) -> Any:  # noqa: ARG002 - the answer is the grant itself
        """Return the grant. A denial raises AuthorizationDenied, raises Halt, or returns None, as `onDeny` says."""
        if settled.outcome == "authorized":
            return self.grant
        policy, why = self.request["onDeny"], f": {settled.comment}" if settled.comment else ""
        if policy == "cancel":
            raise Halt(DENIED, f"the authorization at {self.title} was not given{why}")
        if policy == "return":
            return None
        raise AuthorizationDenied(self.title, settled.outcome or "denied", settled.comment)


@dataclass(frozen=True)
class RenewedWish(Wish):
    """A wait for the renewal of an authorization that a step has lost; its name is that of the step."""

    def answered(self, settled: Settled, answer: Any) -> Any:  # noqa: ARG002 - as above
        """Return None, as the step asks for the token itself; raise AuthorizationDenied after a denial."""
        if settled.outcome != "authorized":
            raise AuthorizationDenied(self.name, settled.outcome or "denied", settled.comment)


def authorization(
    provider: str,
    *,
    scopes: Sequence[str] = (),
    subject: str | None,
    url: str | None = None,
    timeout: Duration | None = "1d",
    on_deny: OnDeny = "fail",
) -> AuthorizationWish:
    """Describe an authorization; raise TypeError or ValueError for an invalid one."""
    check_choice("on_deny", on_deny, OnDeny)
    asked = {"provider": _provider(provider), "subject": _subject(subject), "scopes": list(_scopes(scopes))}
    due = until(timeout)
    shown = {**asked, "url": None if url is None else _url(url)}
    text = json.dumps(shown, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    return AuthorizationWish(AUTHORIZATION, name, due, TIMED_OUT, {**shown, "onDeny": on_deny})


def again(grant: Grant) -> AuthorizationWish:
    """Describe the authorization that a step needs again because it was lost."""
    return authorization(grant.provider, scopes=grant.scopes, subject=grant.subject)


def _in_event_loop() -> bool:
    asyncio = sys.modules.get("asyncio")
    try:
        return asyncio is not None and asyncio.get_running_loop() is not None
    except RuntimeError:
        return False


def _provider(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"a provider is named by a text, not {type_name(name)}")
    if not _PROVIDER.fullmatch(name):
        raise ValueError(
            f"a provider's name has 1 to 64 letters, digits, dots, dashes and underscores, not {name!r:.80}"
        )
    return name


def _subject(subject: str | None) -> str:
    if subject is None:
        raise ValueError(
            "an authorization needs a subject, and the run has no userId: pass subject=… or enqueue with a userId"
        )
    if not isinstance(subject, str):
        raise TypeError(f"a subject is a text, not {type_name(subject)}")
    if not subject.strip() or len(subject) > _MAX_SUBJECT or storable(subject) != subject:
        raise ValueError(f"a subject has 1 to {_MAX_SUBJECT} characters")
    return subject


def _scopes(scopes: Sequence[str]) -> tuple[str, ...]:
    if isinstance(scopes, str):
        raise TypeError(f"scopes is a list of texts: scopes=[{scopes!r}]")
    found = tuple(sorted(set(scopes)))
    for scope in found:
        if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
            raise ValueError(f"a scope is one word without spaces and quotes, not {scope!r:.80}")
    if len(found) > _MAX_SCOPES:
        raise ValueError(f"an authorization asks for {_MAX_SCOPES} scopes at most")
    return found


def _url(url: str) -> str:
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.netloc or len(url) > 2000:
        raise ValueError(f"url is the http or https address where the authorization is carried out, not {url!r:.80}")
    return url
