"""Generated async agents in real hosts that are killed: each activation reaches what the one before had reached.

`TAXIWAY_PROGRAMS=1000` tries a tenth as many here.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from taxiway.frames import ChannelClosed

from tests.contract.programs import hosted
from tests.contract.programs.node import Node
from tests.contract.programs.world import World
from tests.contract.programs.writing import programs
from tests.processes.host_driver import RECORDED, Host, Run

MANY = max(4, int(os.environ.get("TAXIWAY_PROGRAMS", "40")) // 10)
KILLS = 3


class Worker:
    """Leads one run of a program through hosts, and kills some of them."""

    def __init__(self, program: Node, seed: int, folder: Path) -> None:
        self.run = Run("main", {"program": repr(program), "folder": str(folder)})
        self.run.park_after_ms = 200
        self.world = World(program, seed, "mixed")
        self.folder, self.dice = folder, random.Random(seed)
        self.kills = KILLS
        self.host = self._fresh()
        self.seen: list[str] = []

    def to_the_end(self) -> Any:
        """Return the result of the run."""
        while True:
            self.host.activate(self.run)
            end = self._served()
            now = (self.folder / f"trace-{self.run.activations}").read_text().splitlines()
            come = len(self.seen) if end is not None else min(len(self.seen), len(now))
            assert now[:come] == self.seen[:come]
            self.seen = max(self.seen, now, key=len)
            if end is not None and end["frame"] != "park":
                assert end["frame"] == "finish", end
                return json.loads(end["value"])

    def close(self) -> None:
        """Close the last host."""
        self.host.__exit__()

    def _served(self) -> dict[str, Any] | None:
        """Serve an activation to its end; return None if its host was killed."""
        while True:
            frame = self.host.next()
            recorded = frame["frame"] in (*RECORDED, "spawn")
            if recorded and self.kills and self.dice.random() < 0.15:
                if self.dice.random() < 0.5:  # recorded, but not acknowledged; otherwise only its effect exists
                    self.host.answer(self.run, frame)
                self.kills -= 1
                self.host.__exit__()
                self.host = self._fresh()
                return None
            if frame["frame"] == "park":
                self.run.record(frame)
                self._wake(frame)
                self.host.send(frame, "ack", n=frame["n"])
            else:
                self.host.answer(self.run, frame)
            if frame["frame"] == "open":
                self._decide(frame)
            if frame["frame"] in ("park", "finish", "fail"):
                self._go_on()
                return frame

    def _go_on(self) -> None:
        """Continue in the same host, unless it ends because a given-up step still runs there."""
        try:
            assert self.host.next()["frame"] == "idle"
        except ChannelClosed:
            self.host.__exit__()
            self.host = self._fresh()

    def _fresh(self) -> Host:
        host = Host(Path(hosted.__file__))
        host.hello()
        return host

    def _wake(self, frame: dict[str, Any]) -> None:
        keys = [item["key"] for item in frame["waits"]]
        for key in keys if frame["wake"] == "all" else keys[:1]:
            self._settle(frame, key)

    def _decide(self, frame: dict[str, Any]) -> None:
        """Decide the open waits of an executing run."""
        settled = [self._settle(frame, item["key"]) for item in frame["waits"]]
        self.host.send(frame, "settled", waits=[one for one in settled if one])

    def _settle(self, frame: dict[str, Any], key: str) -> dict[str, Any] | None:
        (item,) = [item for item in frame["waits"] if item["key"] == key]
        if self.run.waits[key]["outcome"] is not None:
            return None
        for born, step in self.run.steps.items():
            if step["name"].startswith("spawn:") and self.run.inputs.get(born):
                self.world.start(born, "other", self.run.inputs[born])
        self.world._open(item)
        settled = self.world.settle(key)
        answer = None if settled.answer is None else json.loads(settled.answer)
        said = self.run.settle(key, str(settled.outcome), answer)
        about = {"by": settled.by, "comment": settled.comment}
        self.run.waits[key] |= about
        return said | about


@settings(
    max_examples=MANY, deadline=None, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck), phases=[Phase.generate],
)  # fmt: skip
@given(programs(), st.integers(0, 1 << 16))
def test_a_program_is_shown_the_same_again_whenever_its_host_is_killed(program: Node, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(program, seed, Path(folder))
        try:
            value = worker.to_the_end()
            effects = (Path(folder) / "effects").read_text().splitlines()
            for key, item in worker.run.steps.items():
                if item["status"] == "succeeded" and not item["name"].startswith("spawn:"):
                    assert 1 <= effects.count(f"{key} {item['attempts']}") <= 1 + KILLS
            worker.kills = 0
            assert worker.to_the_end() == value, "a replay of all that is recorded"
            assert (Path(folder) / "effects").read_text().splitlines() == effects
        finally:
            worker.close()
