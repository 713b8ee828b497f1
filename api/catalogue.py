"""The agents, queues and windows that exist. Agents and queues stay known when their workers leave."""

import difflib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import col, select

from api.http.problems import FieldError, Problem
from api.http.transactions import reading
from models.tables.agent import Agent
from models.tables.queue import Queue
from models.tables.window import Window

_TRUSTED_SECONDS = 1.0
_MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """An agent, as accepting a run needs it."""

    name: str
    version: str
    queue: str
    timeout_ms: int | None
    schema: str


class Catalogue:
    """Agents, queues and windows by name: read again after a second, and immediately if a name is missing."""

    def __init__(self) -> None:
        self._agents: dict[str, tuple[float, KnownAgent]] = {}
        self._queues: set[str] = set()
        self._windows: dict[str, float] = {}

    def agent(self, name: str, field: str) -> KnownAgent:
        """Return an agent; raises Problem `unknown_agent`, which lists the known agents."""
        until, known = self._agents.get(name, (0.0, None))
        if known is None or time.monotonic() >= until:
            known = self._read(name)
            if known is None:
                raise _unknown("agent", name, _names(col(Agent.name)), field)
            self._agents[name] = (time.monotonic() + _TRUSTED_SECONDS, known)
        return known

    def check_queue(self, name: str, field: str) -> None:
        """Raise Problem `unknown_queue`, which lists the known queues, if this queue does not exist."""
        if name in self._queues:
            return
        self._queues = set(_names(col(Queue.name)))
        if name not in self._queues:
            raise _unknown("queue", name, sorted(self._queues), field)

    def check_window(self, name: str, field: str) -> None:
        """Raise Problem `unknown_window`, which lists the known windows, if this window does not exist."""
        if time.monotonic() < self._windows.get(name, 0.0):
            return
        known = _names(col(Window.name))
        self._windows = dict.fromkeys(known, time.monotonic() + _TRUSTED_SECONDS)
        if name not in known:
            raise _unknown("window", name, known, field)

    @staticmethod
    def _read(name: str) -> KnownAgent | None:
        with reading() as session:
            agent = session.get(Agent, name)
            if agent is None:
                return None
            schema = json.dumps(agent.input_schema)
            return KnownAgent(agent.name, agent.version, agent.queue, agent.timeout_ms, schema)


def _names(column: Any) -> Sequence[str]:
    with reading() as session:
        return session.exec(select(column).order_by(column)).all()


def _unknown(kind: str, name: str, known: Sequence[str], field: str) -> Problem:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known[:_MOST_NAMED]) or 'none yet'}"
    detail = f"There is no {kind} {name}; {hint}" + ("" if near else ".")
    return Problem(f"unknown_{kind}", detail, [FieldError(field, hint)], {"known": list(known[:_MOST_NAMED])})
