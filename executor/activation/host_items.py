"""Numbered items of a host: recorded, then acknowledged by the thread that committed them.

The host continues only after the acknowledgement. An item that the database refuses is refused to the host as well; an item
whose guard did not hold is explained later, by the slot's thread.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from taxiway.frames import Frame, Kind

from executor.activation.services import ActivationServices
from executor.activation.steps_in_flight import StepsInFlight
from executor.activation.unanswered import Unanswered
from executor.errors import StepFinished
from executor.hosts import Host
from executor.recorder.connection import Decision
from executor.recorder.group_commit import Answer, is_committed
from models.runs import recording
from models.runs.recording import Fence, Limits
from models.runtime.bus import PROMOTE
from models.statement import Statement

MOST_FAULTS = 10
"""Items that the database refuses before their host is ended: each one breaks a commit group that runs share."""


@dataclass(frozen=True, slots=True)
class HostItem:
    """An item of a host, and what follows its commit."""

    n: int
    decision: Decision
    size: int
    ends_step: bool = True
    """Whether the acknowledgement lets the agent past the edge of a step: a pause or a draining worker withholds it."""
    value: str | None = None
    """Sent with the acknowledgement."""
    queue: str | None = None
    """The queue that has new runs after the commit."""
    then: Callable[[Answer], None] | None = None
    """Called after the acknowledgement."""
    acknowledge: Callable[[], None] | None = None
    """Called in place of the acknowledgement."""
    unrecorded: Callable[[], None] | None = None
    """Called if the item was not recorded, in place of a refusal."""


class HostItems:
    """The items of one activation. Answers arrive in the thread that commits; `explain_unrecorded` is for the slot's thread."""

    def __init__(
        self,
        worker: ActivationServices,
        host: Host,
        fence: Fence,
        limits: Limits,
        *,
        steps: StepsInFlight,
        unanswered: Unanswered,
        send: Callable[[Frame], None],
    ) -> None:
        self._worker, self._host, self._fence, self._limits = worker, host, fence, limits
        self._steps, self._unanswered, self._send = steps, unanswered, send
        self._unrecorded: deque[int] = deque()
        self._faults = 0
        self.holds = False
        """Whether a pause keeps the agent from going past the edge of its next step."""
        self.at_edge = False
        """Whether the agent waits at the edge of a step for an acknowledgement that is withheld."""
        self.last_n = 0

    def put(self, item: HostItem) -> None:
        """Queue an item for the recorder."""
        self.last_n = max(self.last_n, item.n)
        self._unanswered.add(item.size)

        def done(answer: Answer) -> None:
            self._unanswered.remove(item.size)
            self._answered(item, answer)

        alone = not isinstance(item.decision, Statement)
        inline = not self._steps  # else the slot's thread has steps to watch, and their items go together
        self._worker.recorder.put(
            self._fence.run,
            item.decision,
            done,
            size=item.size,
            fence=self._fence,
            n=item.n,
            alone=alone,
            inline=inline,
        )

    def _answered(self, item: HostItem, answer: Answer) -> None:
        recorded = is_committed(answer)
        if recorded and item.queue is not None:
            self._worker.bus.wake_up(PROMOTE, item.queue)
        if not recorded and item.unrecorded is not None:
            item.unrecorded()
            return
        self._report(item, answer)
        if item.then is not None:
            item.then(answer)

    def _report(self, item: HostItem, answer: Answer) -> None:
        """Send the result of an item to the host.

        Neither a draining worker nor a pause lets an agent past the edge of a step. The intent of a `once` step does not end a
        step: if its acknowledgement were withheld, the step would never begin, and yet count as begun.
        """
        match answer:
            case None:
                self._unrecorded.append(item.n)
            case _ if is_committed(answer):
                if item.ends_step and (self.holds or self._worker.draining):
                    self.at_edge = True
                elif item.acknowledge is not None:
                    item.acknowledge()
                else:
                    value = {} if item.value is None else {"value": item.value}
                    self._send({"frame": Kind.ACK, "n": item.n} | value)
            case StepFinished():
                self._fault(item, "this step was finished before")
            case error:
                self._fault(item, f"it cannot be stored (SQLSTATE {getattr(error, 'sqlstate', None)})")

    def _fault(self, item: HostItem, message: str) -> None:
        self._faults += 1
        if self._faults == MOST_FAULTS:
            self._host.kill("faults")
        self.refuse(item.n, "invalid_output", message)

    def refuse(self, n: Any, code: str, message: str) -> None:
        """Refuse an item to the host."""
        self._send({"frame": Kind.REFUSED, "n": n, "code": code, "message": message})

    def explain_unrecorded(self) -> None:
        """Find out why items were not recorded: the epoch has passed, or the run has reached one of its limits."""
        while self._unrecorded:
            n = self._unrecorded.popleft()
            run = next(iter(self._worker.read(recording.fenced(self._fence.run))), None)
            if run is None or not run.belongs_to(self._fence):
                self._host.kill("fenced")
                continue
            settings = self._worker.settings
            most = f"{self._limits.steps:,} steps and {self._limits.recorded_bytes:,} bytes"
            children = f"starts at most {settings.max_children:,} children, at most {settings.max_levels} levels deep"
            self.refuse(n, "history_limit", f"a run records at most {most}, and {children}")
