"""Children of a run: runs that its agent starts, and the waits for their ends.

A start is recorded like a step, with the ids of the runs as its value, so that no activation starts them twice. From then on
each child is a wait for the message that its end sends to its parent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar

from taxiway.agent_references import R_co, refer_to
from taxiway.agents import Agent
from taxiway.codec import resulted
from taxiway.commands import LIVE, Commit, Recall, Script, Seen, Tell
from taxiway.durations import Duration, milliseconds, seconds
from taxiway.encode import json_text
from taxiway.errors import STEP_ERROR, ChildFailed, InvalidValue, NotRecorded, StepFailed
from taxiway.frames import Kind
from taxiway.identity import arguments_digest, call_digest, checked_name
from taxiway.ledger import Recorded, Status, StepError
from taxiway.shapes import Shape
from taxiway.step_script import record_failure
from taxiway.waits import MOST_AT_ONCE, Settled, Wait, Wish

CHILD: Final = "child"
_SIGNAL: Final = "taxiway.child/"
_CHUNK: Final = 1024 * 1024
_MAX_TOTAL: Final = 16 * 1024 * 1024


@dataclass(frozen=True)
class ChildWish(Wish):
    """A wait for the end of a child."""

    agent: str = ""
    returns: Shape | None = None
    is_placed = True

    def answered(self, settled: Settled, answer: Any) -> Any:  # noqa: ARG002 - other kinds read it
        """Return the child's result as its agent returned it; raise ChildFailed if it has none."""
        if answer["status"] != "SUCCESS":
            raise ChildFailed(answer["run"], self.agent, answer["status"], answer.get("error"))
        try:
            return resulted(self.returns, answer["result"])
        except InvalidValue as error:
            raise InvalidValue(f"result of agent {self.agent!r}: {error.path}", error.problem) from None


@dataclass(frozen=True)
class Child(Wait, Generic[R_co]):
    """A child of this run. Pass it to `run.gather` or `run.first`, whose value for it is its result."""

    run_id: str = ""
    agent: str = ""
    _take: Callable[[Wait], Any] | None = field(default=None, repr=False, compare=False)

    def result(self) -> R_co:
        """Return its result; the run is parked until the child has ended. Raises ChildFailed if it ended without a result."""
        assert self._take is not None, "made by a run"
        result: R_co = self._take(self)
        return result


@dataclass(frozen=True)
class AsyncChild(Child[R_co]):
    """A child of this run. Await it, or pass it to `run.gather` or `run.first`; its value is its result."""

    def result(self) -> Coroutine[Any, Any, R_co]:  # type: ignore[override] # an async agent awaits it
        """Return its result when the child has ended. Raises ChildFailed if it ended without a result."""
        assert self._take is not None, "made by a run"
        result: Coroutine[Any, Any, R_co] = self._take(self)
        return result

    def __await__(self) -> Generator[Any, None, R_co]:
        return self.result().__await__()


H = TypeVar("H", bound=Child[Any])


def handles(
    kind: type[H], given: Sequence[Wait], ids: Sequence[str], agent: str, take: Callable[[Wait], Any]
) -> list[H]:
    """Return the handles of started runs. Their waits name run and agent, as the parked parent's page shows them."""
    return [
        kind(wait.key, _shown_wish(wait.wish, run, agent), wait.settled, wait.place, run, agent, take)
        for wait, run in zip(given, ids, strict=True)
    ]


def _shown_wish(wish: Wish, run: str, agent: str) -> Wish:
    return replace(wish, request={**wish.request, "run": run, "agent": agent})


class Unstarted(Generic[R_co]):
    """A child that the first wait for it starts; it is numbered among all calls at its description, however."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.child: Child[R_co] | None = None


@dataclass(frozen=True)
class Start:
    """Runs to start, one for each input (JSON text). An option that is None has the default of the agent or the parent.

    A `pinned` call is identified by its name alone. `older_digest` is the digest that earlier versions made of its inputs.
    """

    agent: str
    inputs: tuple[str, ...]
    digest: str
    name: str
    older_digest: str = ""
    pinned: bool = False
    queue: str | None = None
    priority: int | None = None
    timeout_ms: int | None = None
    returns: Shape | None = None


@dataclass(frozen=True)
class SpawnCall:
    """One call that starts children in this activation."""

    start: Start
    key: str
    occurrence: int

    def identity(self) -> dict[str, Any]:
        """Return the fields that identify the call in its frames."""
        start = self.start
        return {"key": self.key, "name": start.name, "digest": start.digest, "occurrence": self.occurrence}

    def wishes(self) -> list[ChildWish]:
        """Describe the waits for the runs that it starts, by its key and their index."""
        start = self.start
        mine = [f"{self.key}/{place}" for place in range(len(start.inputs))]
        return [
            ChildWish(CHILD, one, request={"signal": f"{_SIGNAL}{one}"}, agent=start.agent, returns=start.returns)
            for one in mine
        ]


def start(
    agent: object,
    given: Sequence[object],
    what: object,
    *,
    key: str | None = None,
    queue: str | None = None,
    priority: int | None = None,
    timeout: Duration | None = None,
) -> Start:
    """Return a checked start; raise TypeError, ValueError or InvalidValue for an invalid one.

    `what` identifies the call: its input, or all its inputs.
    """
    if len(given) > MOST_AT_ONCE:
        raise ValueError(f"one call starts {MOST_AT_ONCE:,} children at most, not {len(given):,}")
    if priority is not None and (isinstance(priority, bool) or not -100 <= priority <= 100):
        raise ValueError(f"a priority is a number from -100 to 100, not {priority!r:.80}")
    if timeout is not None and seconds(timeout) == 0:
        raise ValueError("a child needs a timeout of more than zero seconds, or none")
    reference = refer_to(agent)
    declared, called = reference.agent, checked_name(reference.name)
    name = f"spawn:{called}" + ("" if key is None else f"/{checked_name(key)}")
    return Start(
        agent=called,
        inputs=tuple(_input(declared, one) for one in given),
        digest="" if key is not None else call_digest((what,), {}),
        name=name,
        older_digest="" if key is not None else arguments_digest((what,), {}),
        pinned=key is not None,
        queue=None if queue is None else checked_name(queue),
        priority=priority,
        timeout_ms=milliseconds(timeout),
        returns=reference.shape,
    )


def spawn(
    call: SpawnCall,
    past: Recorded | None,
    begin: Callable[[], None],
    made: Callable[[list[str]], Any],
    max_bytes: int,
) -> Script:
    """Start the children, or read their ids from the record; return their handles. Raises StepFailed if refused.

    `begin` is called before anything new happens and may refuse that. `made` makes the handles from the ids of the runs.
    """
    start = call.start
    match past:
        case Recorded(status=Status.SUCCEEDED):
            yield Seen(call.key)
            text = (yield Recall(call.key)) if past.large else past.value
            return made(json.loads(text or "[]"))
        case Recorded():
            yield Seen(call.key)
            error = past.error or StepError("Exception", "", STEP_ERROR)
            raise StepFailed(start.name, past.attempts, error.type, error.message, error.code)
    begin()
    yield LIVE
    _check_sizes(start, max_bytes)
    *early, last = list(_chunks(start.inputs)) or [[]]
    for chunk in early:
        yield Tell(Kind.SPAWN, {"key": call.key, "inputs": chunk, "more": True})
    about = {"agent": start.agent, "queue": start.queue, "priority": start.priority, "timeoutMs": start.timeout_ms}
    try:
        text = yield Commit(Kind.SPAWN, {**call.identity(), **about, "inputs": last, "more": False})
    except NotRecorded as refusal:
        refused = StepError("NotStarted", str(refusal), refusal.code)
        yield from record_failure(start.name, {**call.identity(), "attempts": 1, "durationMs": 0}, refused)
        raise StepFailed(start.name, 1, refused.type, refused.message, refused.code) from None
    return made(json.loads(text))


def _input(agent: Agent | None, given: object) -> str:
    if given is not None and not isinstance(given, Mapping):
        raise TypeError(f"a child's input is a dict of its agent's inputs, not {given!r:.80}")
    return json_text(given or {}) if agent is None else agent.write_input(given or {})


def _check_sizes(start: Start, max_bytes: int) -> None:
    if (total := sum(map(len, start.inputs))) > _MAX_TOTAL:
        raise ValueError(f"the inputs of {start.name} have {total:,} characters of JSON, {_MAX_TOTAL:,} fit one call")
    for place, text in enumerate(start.inputs):
        if (size := len(text.encode())) > max_bytes:
            raise ValueError(f"input {place} of {start.name} has {size:,} bytes of JSON, {max_bytes:,} are allowed")


def _chunks(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield the inputs in chunks that fit one frame each."""
    chunk: list[str] = []
    size = 0
    for text in texts:
        if chunk and size + len(text) > _CHUNK:
            yield chunk
            chunk, size = [], 0
        chunk.append(text)
        size += len(text)
    if chunk:
        yield chunk
