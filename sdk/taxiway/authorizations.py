"""What an agent holds once somebody has authorized it: a grant by its name, never a token.

A grant may be an argument of steps, their value or a result: it is the same in every activation. Its token is asked for
inside a step, at the moment when it is needed, and is renewed by the worker before it expires.
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
"""Seconds after which nobody has authorized, unless the caller says otherwise."""
_PROVIDER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")  # RFC 6749, section 3.3
_MAX_SUBJECT: Final = 500
_MAX_SCOPES: Final = 100


@dataclass(frozen=True)
class Grant:
    """What somebody authorized: at which provider, for whom, and for what. It holds no token and may be passed to steps."""

    provider: str
    subject: str
    scopes: tuple[str, ...] = ()

    def token(self) -> str:
        """Return an access token that is valid now, inside a `def` step only; ask again rather than keep it.

        Raises AuthorizationLost when it was revoked or lacks scopes: let it out of the step, and the run waits for a new
        authorization and then repeats the step. Raises AuthorizationUnavailable when it cannot be had at the moment.
        """
        if _in_event_loop():
            raise RuntimeError("grant.token() would block the event loop; in an async step use: await grant.atoken()")
        return self._read(self._ask().result())

    async def atoken(self) -> str:
        """Return an access token as `token` does, inside an `async def` step."""
        import asyncio  # noqa: PLC0415 - only who awaits this has it already

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
"""Asks the worker for the token of a grant. It is set inside steps only: a token must not get into what an agent keeps."""


@dataclass(frozen=True)
class AuthorizationWish(Wish):
    """A wait for somebody who authorizes."""

    @property
    def grant(self) -> Grant:
        """What is wished for."""
        return Grant(self.request["provider"], self.request["subject"], tuple(self.request["scopes"]))

    @property
    def title(self) -> str:
        """The provider."""
        return str(self.request["provider"])

    def answered(self, settled: Settled, answer: Any) -> Any:  # noqa: ARG002 - there is none but the grant
        """Return the grant; a refusal raises AuthorizationDenied, Halt where the run cannot go on, or is returned as None."""
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
    """What came of an authorization that a step had lost; it is called after the step."""

    def answered(self, settled: Settled, answer: Any) -> Any:  # noqa: ARG002 - as above
        """Return nothing, the step asks for the token itself; raise AuthorizationDenied where it was refused."""
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
    """Describe an authorization; raise TypeError or ValueError when it cannot be one."""
    check_choice("on_deny", on_deny, OnDeny)
    asked = {"provider": _provider(provider), "subject": _subject(subject), "scopes": list(_scopes(scopes))}
    due = until(timeout)
    shown = {**asked, "url": None if url is None else _url(url)}
    text = json.dumps(shown, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    return AuthorizationWish(AUTHORIZATION, name, due, TIMED_OUT, {**shown, "onDeny": on_deny})


def again(grant: Grant) -> AuthorizationWish:
    """Describe the authorization that a step needs anew because it was lost."""
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
            f"a provider's name has 1 to 64 letters, digits, dots, dashes and underscores, {name!r:.80} not"
        )
    return name


def _subject(subject: str | None) -> str:
    if subject is None:
        raise ValueError("whose authorization? The run has no userId: give subject=…, or enqueue the run with a userId")
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
        raise ValueError(f"url is the http or https address of who carries the authorization out, not {url!r:.80}")
    return url
