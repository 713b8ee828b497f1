"""Refusal of a verb that works inside a step only."""

from __future__ import annotations

import threading


def refusal(verb: str, otherwise: str) -> RuntimeError:
    """Return the error of a verb that was called outside a step; `otherwise` says what to do in the agent itself.

    A thread that a step started has a context of its own, without the step: there the error says how to hand it over.
    """
    if threading.current_thread() is threading.main_thread():
        return RuntimeError(f"{verb} works inside a step only; {otherwise}")
    return RuntimeError(
        f"{verb} works inside a step only; a thread that the step starts must run in a copy of the step's context: "
        "Thread(target=contextvars.copy_context().run, args=(function, …))"
    )
