"""Agents file of a real host that executes programs; results and effects of steps go into files."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import zlib
from pathlib import Path
from typing import Any

from taxiway import AsyncRun, agent, step_info

sys.path.insert(0, str(Path(__file__).parents[2]))

from contract.programs import carrying
from contract.programs.node import Node

carrying.scale = 0.02


class Files:
    """Records everything in a folder."""

    def __init__(self, folder: Path, activation: int) -> None:
        self._trace = (folder / f"trace-{activation}").open("w", buffering=1)
        self._effects = (folder / "effects").open("a", buffering=1)
        self._salt = activation
        self.trace: list[Any] = []

    async def reach(self) -> None:
        """Take some time, a different one in each activation."""
        await asyncio.sleep(self._begin())
        self._end()

    def reach_in_thread(self) -> None:
        """Do the same in a thread."""
        time.sleep(self._begin())
        self._end()

    def log(self, label: str, what: Any) -> None:
        """Record a result of the agent's code."""
        self.trace.append([label, what])
        self._trace.write(json.dumps([label, what]) + "\n")

    def _begin(self) -> float:
        info = step_info()
        return zlib.crc32(f"{self._salt} {info.key}".encode()) % 40 / 1000

    def _end(self) -> None:
        self._effects.write(f"{step_info().key} {step_info().attempt}\n")


@agent
async def main(run: AsyncRun, program: str, folder: str) -> Any:
    """Execute a program."""
    files = Files(Path(folder), run.activation)
    carrying.outside = files
    value = await carrying.Program(run).go(eval(program, {"Node": Node}))
    return [value, files.trace]
