"""Verbs and facts that Run and AsyncRun share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Unpack, overload

from taxiway import approvals, authorizations, children, waits
from taxiway.activation import Activation
from taxiway.agent_references import AsyncAgent, Inputs, SpawnOptions, T
from taxiway.approvals import OnDeny, OnTimeout
from taxiway.authorizations import AuthorizationWish
from taxiway.children import Child, Start, Unstarted
from taxiway.commands import Script
from taxiway.durations import Duration
from taxiway.waits import Wait, Wish


def several(verb: str, given: Sequence[object]) -> Sequence[Wait | Unstarted[Any]]:
    """Return the waits that were given; raise TypeError for anything else, or for none."""
    for wait in given:
        if not isinstance(wait, Wait | Unstarted):
            raise TypeError(f"run.{verb} takes waits such as run.approval(…) and run.timer(…), not {wait!r:.80}")
    if not given:
        raise TypeError(f"run.{verb} needs at least one wait")
    return [wait for wait in given if isinstance(wait, Wait | Unstarted)]


def _alone(script: Script) -> Script:
    [child] = yield from script
    return child


@dataclass(frozen=True)
class First:
    """The wait that was resolved first: its index among those given, and its value."""

    index: int
    value: Any

    def __iter__(self) -> Iterator[Any]:
        return iter((self.index, self.value))


class RunFacts:
    """The facts of a run, and the verbs that only describe a wait."""

    def __init__(self, activation: Activation) -> None:
        self._activation = activation

    @property
    def id(self) -> str:
        """The run's id."""
        return self._activation.order.run_id

    @property
    def user_id(self) -> str | None:
        """The user on whose behalf the run was enqueued."""
        return self._activation.order.user_id

    @property
    def metadata(self) -> Mapping[str, str]:
        """The metadata that the run was enqueued with."""
        return MappingProxyType(self._activation.order.metadata)

    @property
    def activation(self) -> int:
        """The number of this activation, counted from 1."""
        return self._activation.order.number

    def approval(
        self,
        prompt: str,
        *,
        details: object = None,
        choices: Sequence[str] | None = None,
        approvers: Sequence[str] | None = None,
        timeout: Duration | None = "7d",
        on_deny: OnDeny = "cancel",
        on_timeout: OnTimeout = "deny",
    ) -> Wait:
        """Describe an approval for `gather` and `first`, with the options of `approve`."""
        wish = approvals.approval(
            prompt,
            details=details,
            choices=choices,
            approvers=approvers,
            timeout=timeout,
            on_deny=on_deny,
            on_timeout=on_timeout,
        )
        return self._describe("approval", wish)

    def signal(self, name: str, *, timeout: Duration | None = "7d", schema: Any = None) -> Wait:
        """Describe a wait for a signal for `gather` and `first`, with the options of `wait_for`."""
        return self._describe("signal", waits.signal(name, timeout, schema))

    def timer(self, duration: Duration) -> Wait:
        """Describe a sleep for `gather` and `first`; its time starts at the first wait for it."""
        return self._describe("timer", waits.timer(duration))

    @overload
    def child(self, agent: Child[T]) -> Child[T]: ...
    @overload
    def child(self, agent: AsyncAgent[T], input: Inputs = None, **options: Unpack[SpawnOptions]) -> Unstarted[T]: ...
    @overload
    def child(self, agent: Callable[..., T], input: Inputs = None, **options: Unpack[SpawnOptions]) -> Unstarted[T]: ...
    @overload
    def child(self, agent: str, input: Inputs = None, **options: Unpack[SpawnOptions]) -> Unstarted[Any]: ...
    def child(
        self,
        agent: object,
        input: Mapping[str, Any] | None = None,  # noqa: A002 - it is called so everywhere
        *,
        key: str | None = None,
        queue: str | None = None,
        priority: int | None = None,
        timeout: Duration | None = None,
    ) -> Child[Any] | Unstarted[Any]:
        """Describe a child for `gather` and `first`, with the options of `spawn`: the first wait for it starts it."""
        self._guard("child")
        if isinstance(agent, Child):
            return agent
        options: dict[str, Any] = {"key": key, "queue": queue, "priority": priority, "timeout": timeout}
        return Unstarted(self._one(children.start(agent, [input], input or {}, **options)))

    def _one(self, start: Start) -> Script:
        """Return the script that starts one child and returns its handle; calls are matched in their order."""
        return _alone(self._several(start))

    def _several(self, start: Start) -> Script:
        return self._activation.open_spawn(start, functools.partial(self._handles, start.agent))

    def _handles(self, agent: str, given: Sequence[Wait], ids: Sequence[str]) -> Sequence[Child[Any]]:
        raise NotImplementedError

    def _authorization(
        self,
        provider: str,
        *,
        scopes: Sequence[str],
        subject: str | None,
        url: str | None,
        timeout: Duration | None,
        on_deny: OnDeny,
    ) -> tuple[AuthorizationWish, Wait]:
        whose = self.user_id if subject is None else subject
        wish = authorizations.authorization(
            provider, scopes=scopes, subject=whose, url=url, timeout=timeout, on_deny=on_deny
        )
        return wish, self._describe("authorize", wish)

    def _describe(self, verb: str, wish: Wish) -> Wait:
        self._guard(verb)
        return self._activation.describe(wish)

    def _guard(self, verb: str) -> None:
        raise NotImplementedError

    def _values(self, given: Sequence[Wait], return_errors: bool) -> list[Any]:
        return [self._value_or_error(wait) if return_errors else self._activation.value(wait) for wait in given]

    def _value_or_error(self, wait: Wait) -> Any:
        try:
            return self._activation.value(wait)
        except Exception as error:  # noqa: BLE001 - the caller asked for any error of a wait as a value
            return error

    def _winner(self, given: Sequence[Wait]) -> First:
        known = [self._activation.now(wait) for wait in given]
        over = [(wait.place, index) for index, wait in enumerate(known) if wait.settled is not None]
        _, index = min(over)
        return First(index, self._activation.value(given[index]))
