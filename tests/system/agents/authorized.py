"""Agents that act for people at the loopback provider, whose address is an input of each."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

import taxiway
from taxiway import AsyncRun, Grant, Run, agent, step


def fetch(url: str, token: str) -> Any:
    request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


@step
def read(grant: Grant, url: str, thing: str) -> Any:
    """Read a thing with the grant; a refusal by the API makes the grant lost."""
    try:
        return fetch(f"{url}/api/{thing}", grant.token())[thing]
    except urllib.error.HTTPError as error:
        if error.code in (401, 403):
            raise taxiway.AuthorizationLost(grant) from None
        raise


def length(grant: Grant) -> int:
    return len(grant.token())


def pass_on(grant: Grant) -> Grant:
    return grant


def nothing() -> None:
    pass


@agent
def reader(run: Run, url: str, thing: str = "notes", on_deny: str = "fail", hold: bool = False) -> Any:
    """Read a thing for a person; with `hold` wait for a signal before."""
    grant = run.authorize("loopback", scopes=[f"read:{thing}"], on_deny=on_deny)
    if grant is None:
        return "nobody"
    if hold:
        run.step(nothing)
        run.wait_for("go")
    return run.step(read, grant, url, thing)


@agent
def waiting(run: Run, url: str, thing: str = "notes", timeout: float = 60) -> str:
    """Wait for an authorization and return its outcome."""
    try:
        run.authorize("loopback", scopes=[f"read:{thing}"], timeout=timeout, on_deny="raise")
    except taxiway.AuthorizationDenied as denied:
        return f"{denied.outcome}: {denied.comment}"
    return "authorized"


@agent
def counting(run: Run, subject: str) -> dict[str, Any]:
    """Read a token outside of the recorded steps."""
    grant = run.authorize("loopback", scopes=["read:notes"], subject=subject)
    again = run.step(pass_on, grant)
    return {"same": again == grant, "kind": type(again).__name__, "length": run.step(length, again)}


@agent
async def both(run: AsyncRun, url: str) -> list[Any]:
    """Read two things concurrently, each with an authorization of its own."""

    async def one(thing: str) -> Any:
        grant = await run.authorize("loopback", scopes=[f"read:{thing}"])
        return await run.step(read_soon, grant, url, thing)

    return await asyncio.gather(one("mail"), one("notes"))


async def read_soon(grant: Grant, url: str, thing: str) -> Any:
    token = await grant.atoken()
    try:
        return (await asyncio.to_thread(fetch, f"{url}/api/{thing}", token))[thing]
    except urllib.error.HTTPError:
        raise taxiway.AuthorizationLost(grant) from None


@agent
def outside(run: Run, url: str) -> str:
    """Request an authorization that another system carries out."""
    grant = run.authorize("bank", url=url, on_deny="raise")
    return f"{grant.provider} {grant.subject}"


@agent
def nowhere(run: Run) -> None:
    """Ask an unknown provider."""
    run.authorize("nowhere")


@agent
def asker(run: Run) -> str:
    """Ask a person to approve."""
    return "approved" if run.approve("May I?") else "denied"
