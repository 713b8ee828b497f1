"""Reader of the effect log: which process executed which step, and when."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Effect:
    """One line: a step began, still runs (`tick`) or ended. Without a key: an agent is `awake`, or kills its host."""

    what: str
    run: str
    activation: int
    pid: int
    at: float
    key: str | None = None
    attempt: int | None = None

    @classmethod
    def read(cls, line: str) -> Effect:
        fields: dict[str, Any] = json.loads(line)
        return cls(**fields)


class Effects:
    """The lines of one log, by run; `follow` reads new lines."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.by_run: dict[str, list[Effect]] = defaultdict(list)
        self._read = 0

    def follow(self) -> Effects:
        if not self.log.exists():
            return self
        with self.log.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text.rfind(b"\n") + 1
        self._read += whole
        for line in text[:whole].decode().splitlines():
            effect = Effect.read(line)
            self.by_run[effect.run].append(effect)
        return self

    def host_of(self, run: str, activation: int) -> int | None:
        """Return the process in which a step of this activation runs now."""
        lines = [line for line in self.by_run.get(run, []) if line.activation == activation and line.key]
        ended = {(line.key, line.attempt) for line in lines if line.what == "end"}
        return next((line.pid for line in reversed(lines) if (line.key, line.attempt) not in ended), None)

    def awake_in(self, run: str, activation: int) -> int | None:
        """Return the process in which an activation of an async agent began."""
        lines = [line for line in self.by_run.get(run, []) if line.activation == activation]
        return lines[0].pid if lines else None

    def first_after(self, run: str, activation: int) -> float | None:
        """Return when a later activation of the run first executed a step."""
        later = [line.at for line in self.by_run.get(run, []) if line.activation > activation and line.what == "begin"]
        return min(later, default=None)
