"""Agents that act for people."""

from __future__ import annotations

from typing import Any

import taxiway
from taxiway import AsyncRun, Run, agent
from taxiway.authorizations import Grant


def use(grant: Grant) -> str:
    token = grant.token()
    if token == "stale":
        raise taxiway.AuthorizationLost(grant)
    return token


async def use_async(grant: Grant) -> str:
    return await grant.atoken()


@agent
def acting(run: Run, subject: str, on_deny: str = "fail", timeout: float | None = None) -> Any:
    grant = run.authorize("bank", scopes=["read"], subject=subject, on_deny=on_deny, timeout=timeout)
    return None if grant is None else [grant.provider, grant.subject, list(grant.scopes), run.step(use, grant)]


@agent
async def acting_async(run: AsyncRun, subject: str) -> Any:
    grant = await run.authorize("bank", scopes=["read"], subject=subject)
    return await run.step(use_async, grant)


@agent
def acting_twice(run: Run, subject: str) -> Any:
    first = run.authorize("bank", scopes=["read"], subject=subject)
    run.sleep(0.05)
    again = run.authorize("bank", scopes=["read"], subject=subject)
    more = run.authorize("bank", scopes=["read", "write"], subject=subject)
    return [run.step(use, first), again == first, list(more.scopes)]


@agent
def refused(run: Run, subject: str) -> Any:
    try:
        run.authorize("bank", subject=subject, on_deny="raise")
    except taxiway.AuthorizationDenied as denied:
        return str(denied)


@agent
def connected(run: Run, subject: str) -> Any:
    grant = run.authorize("bank", subject=subject, url="https://bank.example/connect")
    return [grant.provider, list(grant.scopes)]
