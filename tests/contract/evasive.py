"""Agents that try to get past an approval: none of their steps happens before the approval."""
# ruff: noqa: B012, BLE001, SIM105 - they exist to do what no agent should do

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from taxiway import AsyncRun, Run, agent


def past(log: str) -> None:
    """Leave a trace outside of Taxiway."""
    with Path(log).open("a") as file:
        file.write("past\n")


@agent
def swallowing(run: Run, log: str) -> Any:
    try:
        run.approve("Past this?")
    except BaseException:
        pass
    try:
        run.step(past, log)
    except BaseException:
        pass
    return "past it, or approved"


@agent
def returning(run: Run, log: str) -> Any:
    try:
        run.approve("Past this?")
        run.step(past, log)
    finally:
        return "past it, or approved"


@agent
def tidy(run: Run, log: str) -> Any:
    try:
        run.approve("Past this?")
    finally:
        run.step(past, log)
    return "past it, or approved"


@agent
async def swallowing_async(run: AsyncRun, log: str) -> Any:
    try:
        await run.approve("Past this?")
    except BaseException:
        pass
    try:
        await run.step(past, log)
    except BaseException:
        pass
    return "past it, or approved"


@agent
async def returning_async(run: AsyncRun, log: str) -> Any:
    try:
        await run.approve("Past this?")
        await run.step(past, log)
    finally:
        return "past it, or approved"


@agent
async def tidy_async(run: AsyncRun, log: str) -> Any:
    try:
        await run.approve("Past this?")
    finally:
        await run.step(past, log)
    return "past it, or approved"


@agent
async def collecting_async(run: AsyncRun, log: str) -> Any:
    [decision] = await asyncio.gather(run.approve("Past this?"), return_exceptions=True)
    await run.step(past, log)
    return "past it, or approved" if decision else "denied"


@agent
def restarting(run: Run, log: str, again: bool = False) -> Any:
    if again:
        return "begun anew"
    try:
        run.restart(log=log, again=True)
    except BaseException:
        pass
    try:
        run.step(past, log)
    finally:
        return "past the restart"
