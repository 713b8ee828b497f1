"""Entry point of tests: plays a run from its beginning to its end, without a server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from taxiway.agents import DECLARED, Agent
from taxiway.orders import Limits, Order
from taxiway.testing.clock import Clock
from taxiway.testing.errors import Misplayed
from taxiway.testing.given import Given
from taxiway.testing.grants import Grants
from taxiway.testing.lives import to_the_last
from taxiway.testing.noted import NOTED
from taxiway.testing.outcome import Outcome
from taxiway.testing.playing import Playing, Shared
from taxiway.testing.stage import Stubs
from taxiway.testing.unused import check_all_used

STRATEGIES: Final = ("NONE", "ON_START", "ON_TOOL_CALL")


def play(
    agent: Callable[..., Any],
    /,
    *,
    given: Iterable[Given] = (),
    stub: Stubs | None = None,
    input: Mapping[str, Any] | None = None,  # noqa: A002 - the API's own word
    user_id: str | None = None,
    metadata: Mapping[str, str] | None = None,
    approval_strategy: str = "NONE",
    restarts: int | None = None,
    crash_after_each_step: bool = False,
    **inputs: Any,
) -> Outcome:
    """Run an agent to its end as a worker would, and return the outcome; its waits take no time.

    Keywords are the agent's input; an input with the name of an option here goes into `input`. `given` are decisions,
    answers and signals, each used once. `stub` replaces steps, named by function or name: with a function, a value, or an
    exception. A restarted run (`run.restart`) is followed to its last successor, or for `restarts` restarts.

    With `crash_after_each_step` the host dies after each recorded step, and the agent starts again from its records. Code
    outside of steps then runs again; if it differs each time, Undetermined is raised.

    Raises Unanswered if the run waits for something that is not given and the agent set no time-out, Unused if something
    given was not used, Refused if a server would refuse it (all of them AssertionErrors), InvalidValue if the agent does
    not take this input, and TypeError.
    """
    __tracebackhide__ = True  # pytest shows the line of the test
    if approval_strategy not in STRATEGIES:
        raise ValueError(f"approval_strategy is one of {', '.join(STRATEGIES)}, not {approval_strategy!r}")
    given = _in_their_order(given)
    declared, text = _accepted(agent, {**(input or {}), **inputs})
    order = Order(
        "", str(uuid.uuid4()), 0, declared.name, text, user_id, dict(metadata or {}), Limits(), approval_strategy
    )
    shared = Shared(given, stub or {}, Grants(given), dies=crash_after_each_step)

    def one(text: str, run_id: str, clock: Clock) -> Outcome:
        return Playing(declared, replace(order, run_id=run_id, input=text), clock, shared).to_the_end()

    def all_of_them() -> Outcome:
        outcome = to_the_last(one, text, order.run_id, Clock(), whose=f"agent {declared.name!r}", restarts=restarts)
        check_all_used(shared.given, shared.waited, outcome)
        return outcome

    return _noted(all_of_them)


def _noted(work: Callable[[], Outcome]) -> Outcome:
    """Return the outcome and keep it for a failing test to show; that of a Misplayed error is kept too."""
    __tracebackhide__ = True
    try:
        outcome = _beside_any_loop(work)
    except Misplayed as problem:
        NOTED.append(problem.outcome)
        raise problem.with_traceback(None) from None
    NOTED.append(outcome)
    return outcome


def _accepted(agent: Callable[..., Any], inputs: Mapping[str, Any]) -> tuple[Agent, str]:
    """Return an agent and its input as text; raise the errors of the server and of a worker."""
    __tracebackhide__ = True
    declared = _declared(agent)
    declared.result  # noqa: B018 - a worker refuses an agent whose result type is not supported
    text = declared.write_input(inputs)
    declared.read_input(text)  # the server refuses a run whose input does not fit
    return declared, text


def _in_their_order(given: Iterable[Given]) -> list[Given]:
    """Return what is given: signals in the order of their times, so that equal ones are received in it; others first."""
    them = list(given)
    if wrong := [one for one in them if not isinstance(one, Given)]:
        raise TypeError(f"given takes approve(…), answer(…), signal(…) and the like, not {wrong[0]!r:.80}")
    return sorted(them, key=lambda one: one.after if one.is_kept else 0.0)


def _declared(function: Callable[..., Any]) -> Agent:
    for agent in reversed(DECLARED):
        if agent.function is function:
            return agent
    raise TypeError(f"{getattr(function, '__qualname__', function)!r} is not an agent; declare it with @taxiway.agent")


def _beside_any_loop(work: Callable[[], Outcome]) -> Outcome:
    """Do the work in this thread, or in another one if an event loop runs here (in an `async def` test)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        beside = None
    else:
        beside = ThreadPoolExecutor(1)
    if beside is None:
        return work()
    with beside:
        return beside.submit(work).result()
