"""Agents that would get past an approval if anything could: whatever they do, nothing happens before somebody approves."""
# ruff: noqa: B012, BLE001, SIM105 - what no agent should be written like is what they are for

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
