"""Functions with which a test gives something in advance: `approve("Refund*", choice="card")`."""

from __future__ import annotations

from taxiway.agent_references import AnyAgent, refer_to
from taxiway.decode import decode
from taxiway.durations import Duration, seconds
from taxiway.encode import plain
from taxiway.errors import AGENT_ERROR, InvalidValue
from taxiway.testing.errors import Refused
from taxiway.testing.given import Approval, Authorization, ChildEnd, Denial, Expiry, Given, Reply, Resumption, Signal
from taxiway.testing.outcome import Error


def approve(
    prompt: str = "*",
    *,
    step: str | None = None,
    choice: str | None = None,
    comment: str | None = None,
    by: str = "test",
    after: Duration = 0,
) -> Given:
    """Approve the question with this prompt, or before this step; `after` counts from the question."""
    said = _said("approve", prompt, step=step, choice=choice)
    return Approval(said, prompt, seconds(after), step, choice, comment, by)


def deny(
    prompt: str = "*", *, step: str | None = None, comment: str | None = None, by: str = "test", after: Duration = 0
) -> Given:
    """Deny the question with this prompt, before this step, or at this provider."""
    return Denial(_said("deny", prompt, step=step), prompt, seconds(after), step, None, comment, by)


def grant(
    provider: str = "*",
    *,
    token: str | None = None,
    subject: str | None = None,
    held: bool = False,
    after: Duration = 0,
) -> Given:
    """Authorize the request at this provider; steps then get the token, by default a made-up text.

    A `held` one was given before the run began: nobody is asked. A step that loses its authorization asks again, and
    takes the next one.
    """
    said = _said("grant", provider, token=token, subject=subject, held=held or None)
    return Authorization(said, provider, seconds(after), token, subject, held)


def answer(prompt: str, value: object, *, by: str = "test", after: Duration = 0) -> Given:
    """Answer the question with this prompt; `value` is checked against the type that the question asks for."""
    return Reply(_said("answer", prompt, value), prompt, seconds(after), plain(value), by)


def signal(name: str, payload: object = None, *, after: Duration = 0) -> Given:
    """Send a signal `after` the run began; it is kept until the run waits for it."""
    return Signal(_said("signal", name, payload), name, seconds(after), plain(payload))


def resume(reason: str = "*", *, by: str = "test", after: Duration = 0) -> Given:
    """End the pause that the agent made for this reason."""
    return Resumption(_said("resume", reason), reason, seconds(after), by)


def child(
    agent: AnyAgent, result: object = None, *, error: str | None = None, status: str | None = None, after: Duration = 0
) -> Given:
    """End a child with this agent `after` its start, with a result, an error, or as CANCELED (`status`).

    `agent` is a pattern of names, or an agent's function; with a function, a result that it does not return raises
    Refused. A child for which nothing is given is played, if its agent is declared.
    """
    status = status or ("SUCCESS" if error is None else "FAILED")
    if status not in ("SUCCESS", "FAILED", "CANCELED") or (error is None) == (status == "FAILED"):
        raise ValueError("a child ends with a result, with an error (FAILED), or as CANCELED")
    failed = None if error is None else Error(AGENT_ERROR, "Exception", error)
    reference = None if isinstance(agent, str) else refer_to(agent)
    name = str(agent) if reference is None else reference.name
    said, value = _said("child", name, result=result, error=error), plain(result)
    if reference is not None and reference.shape is not None and status == "SUCCESS":
        try:
            decode(reference.shape, value)
        except InvalidValue as problem:
            raise Refused(f"{said} is not a result of agent {name!r}: {problem}") from None
    return ChildEnd(said, name, seconds(after), value, failed, status)


def expire(pattern: str) -> Given:
    """End the wait by its time-out. A time-out that the agent set itself needs no expire()."""
    return Expiry(_said("expire", pattern), pattern)


def _said(verb: str, *args: object, **options: object) -> str:
    words = [f"{value!r:.60}" for value in args]
    words += [f"{name}={value!r:.60}" for name, value in options.items() if value is not None]
    return f"{verb}({', '.join(words)})"
