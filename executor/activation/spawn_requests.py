"""Children that an agent starts: joins the frames of one call, looks up agent and queue, and builds one decision."""

import difflib
import json
from dataclasses import dataclass

from taxiway.frames import Frame

from executor.activation.frame_fields import LONGEST_MS, bounded_text, input_text, optional_moment, optional_text
from executor.activation.reading import Read
from executor.errors import HostGone, Refused
from models.runs.enqueue import NewRun
from models.runs.recording import StepRecord
from models.statement import Statement

MOST_AT_ONCE = 5_000
MOST_BYTES = 16 << 20
_DEFAULT_TIMEOUT_MS = 3_600_000
AGENT = "SELECT queue, timeout_ms FROM agent WHERE name = %(name)s"
AGENTS = "SELECT name FROM agent ORDER BY name"
QUEUE = "SELECT name FROM queue WHERE name = %(name)s"
QUEUES = "SELECT name FROM queue ORDER BY name"
_MOST_NAMED = 50


@dataclass(frozen=True, slots=True)
class _KnownAgent:
    """The queue and the time limit of an agent's children, unless their parent sets others."""

    queue: str
    timeout_ms: int | None


class SpawnRequests:
    """The inputs of children that are not started yet. Used by the slot's thread only."""

    def __init__(self, read: Read, max_input_bytes: int) -> None:
        self._read, self._max_input_bytes = read, max_input_bytes
        self._inputs: dict[str, list[str]] = {}

    def take(self, frame: Frame) -> tuple[StepRecord, list[NewRun]] | None:
        """Return the children of a whole call, None while frames are missing; raise Refused and store nothing."""
        key = bounded_text(frame, "key")
        self._inputs.setdefault(key, []).extend(
            input_text(text, self._max_input_bytes, "the input of a child") for text in frame["inputs"]
        )
        if frame["more"]:
            self._check_size()
            return None
        given = self._inputs.pop(key)
        if len(given) > MOST_AT_ONCE or sum(map(len, given)) > MOST_BYTES:
            most = f"{MOST_AT_ONCE:,} children with {MOST_BYTES:,} characters of input"
            raise Refused("output_too_large", f"one call starts at most {most}")
        return self._children(frame, given)

    def _check_size(self) -> None:
        """Raise HostGone for too many inputs: an honest host checks its calls, and all tenants share the worker's memory."""
        size = sum(len(text) + 100 for texts in self._inputs.values() for text in texts)
        if len(self._inputs) > MOST_AT_ONCE or size > 4 * MOST_BYTES:
            raise HostGone("the agent host sends more of its children than it could start")

    def _children(self, frame: Frame, given: list[str]) -> tuple[StepRecord, list[NewRun]]:
        key, name = bounded_text(frame, "key"), bounded_text(frame, "agent")
        priority, timeout = frame.get("priority"), frame.get("timeoutMs")
        if not given:
            raise ValueError("inputs")
        if priority is not None and not -100 <= int(priority) <= 100:
            raise ValueError("priority")
        if timeout is not None and not 0 < int(timeout) <= LONGEST_MS:
            raise ValueError("timeoutMs")
        queue, own_timeout = self._looked_up(name, optional_text(frame, "queue"))
        children = [
            NewRun(
                name,
                queue,
                text,
                priority=int(priority or 0),
                timeout_ms=timeout or own_timeout,
                parent_key=f"{key}/{place}",
            )
            for place, text in enumerate(given)
        ]
        ids = json.dumps([str(child.id) for child in children])
        record = StepRecord(
            key,
            bounded_text(frame, "name"),
            bounded_text(frame, "digest"),
            int(frame["occurrence"]),
            "succeeded",
            1,
            0,
            ids,
            at_ms=optional_moment(frame),
        )
        return record, children

    def _looked_up(self, agent: str, queue: str | None) -> tuple[str, int]:
        """Return the queue and the time limit of the children; raise Refused if the agent or the queue is unknown."""
        known = self._read(Statement(AGENT, {"name": agent}, _KnownAgent))
        if not known:
            raise self._unknown("agent", agent, AGENTS)
        if queue is not None and not self._read(Statement(QUEUE, {"name": queue}, str)):
            raise self._unknown("queue", queue, QUEUES)
        return queue or known[0].queue, known[0].timeout_ms or _DEFAULT_TIMEOUT_MS

    def _unknown(self, kind: str, name: str, sql: str) -> Refused:
        known = self._read(Statement(sql, {}, str))
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known[:_MOST_NAMED]) or 'none yet'}"
        return Refused(f"unknown_{kind}", f"there is no {kind} {name}; {hint}")
