"""Orders of the load, by a seed: agents and inputs, batches or single runs, cancels and pauses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from ops.chaos import async_orders
from ops.chaos.async_orders import ASYNC, WORDS

CONTESTED, SOON = 0.5, 0.25
KEYED, KEYS = 0.2, 6
FAILING = 4
"""Failures after which the flaky agent's step has used up its attempts."""


@dataclass(frozen=True)
class Order:
    """One request: a run, or several as a batch."""

    key: str
    agent: str
    inputs: list[dict[str, Any]]
    batch: bool
    pause: float
    """Seconds until the next order, unless too many runs wait."""
    cancel_after: float | None = None
    pause_after: float | None = None
    words: int = 0
    """Number of signals sent to the run, numbered from 1."""
    concurrency_key: str | None = None
    """Concurrency key: one run of each key executes at a time."""


@dataclass(frozen=True)
class Mix:
    """A part of the load: an agent, its weight, and the function that makes its input."""

    long_seconds: float = 6.0
    pause: float = 0.25
    weights: dict[str, int] = field(
        default_factory=lambda: {
            "tiny": 5,
            "sequence": 6,
            "patient": 3,
            "fan_out": 3,
            "flaky": 3,
            "only_once": 3,
            "bulky": 1,
            "turncoat": 1,
            "asking": 4,
            "hearing": 3,
            "napping": 3,
            "either": 2,
            "family": 2,
            "crowd": 3,
            "racing": 3,
            "deciding": 4,
            "listening": 3,
            "mapping": 2,
            "tending": 3,
        }
    )


def orders(seed: int, client: int, mix: Mix, secret: str) -> Iterator[Order]:
    """Yield the endless orders of one client; the same for the same seed."""
    rng = Random(f"{seed}/load/{client}")
    for number in itertools.count():
        kind = rng.choices(list(mix.weights), list(mix.weights.values()))[0]
        batch = kind in ("tiny", "sequence") and rng.random() < 0.1
        inputs = [_input(kind, rng, mix, secret) for _ in range(rng.randint(2, 12) if batch else 1)]
        cancel_after = rng.uniform(0, mix.long_seconds) if not batch and rng.random() < 0.12 else None
        pause_after = rng.uniform(0, mix.long_seconds) if not batch and rng.random() < 0.07 else None
        if cancel_after is not None and rng.random() < CONTESTED:
            # One person cancels it, another pauses it at the same moment, most likely while it executes.
            pause_after = cancel_after = cancel_after * SOON
        agent = "sequence" if kind == "patient" else kind
        words = _words(kind, inputs[0])
        key, pause = f"{seed}-{client}-{number}", rng.uniform(0, 2 * mix.pause)
        shared = f"key-{rng.randrange(KEYS)}" if not batch and rng.random() < KEYED else None
        yield Order(key, agent, inputs, batch, pause, cancel_after, pause_after, words, shared)


def _words(kind: str, given: dict[str, Any]) -> int:
    if kind in ("hearing", *WORDS):
        return int(given.get("words", 1))
    return int(kind == "either")


def _input(kind: str, rng: Random, mix: Mix, secret: str) -> dict[str, Any]:
    if kind in ASYNC:
        return {**async_orders.draw_input(kind, rng), "secret": secret}
    drawn: dict[str, dict[str, Any]] = {
        "sequence": {"steps": rng.randint(2, 8), "millis": rng.choice([0, 20, 100, 250])},
        "patient": {"steps": 2, "millis": int(rng.uniform(0.3, 1) * mix.long_seconds * 1000)},
        "fan_out": {"items": rng.randint(2, 8), "millis": rng.choice([20, 100, 400])},
        "flaky": {"times": rng.choice([1, 2, 3, FAILING])},
        "only_once": {"millis": rng.choice([20, 300, 1000])},
        "bulky": {"steps": rng.randint(1, 4)},
        "asking": {"questions": rng.randint(1, 3)},
        "hearing": {"words": rng.randint(1, 3)},
        "family": {"children": rng.choice([1, 3, 8, 20]), "millis": rng.choice([0, 50, 400])},
        "napping": {"naps": rng.randint(1, 3), "millis": rng.choice([50, 300, 1000])},
    }
    return {**drawn.get(kind, {}), "secret": secret}


def is_right(agent: str, given: dict[str, Any], result: Any) -> bool:
    """Return whether a succeeded run may have this result."""
    if agent in ASYNC:
        return async_orders.is_right(agent, given, result)
    right = expected(agent, given)
    return right is not None and bool(result == right)


def expected(agent: str, given: dict[str, Any]) -> list[str] | None:
    """Return the only right result of a deterministic agent; None if it cannot succeed."""
    secret = given["secret"]
    waited = {"asking": "questions", "hearing": "words", "napping": "naps", "family": "children"}
    if agent in waited:
        return [f"{n}:{secret}" for n in range(given[waited[agent]] + 1)]
    counted = {
        "tiny": 1,
        "either": 3,
        "sequence": given.get("steps"),
        "only_once": 3,
        "bulky": given.get("steps"),
        "turncoat": 3,
    }
    if agent == "flaky":
        return [f"0:{secret}", secret] if given["times"] < FAILING else None
    if agent == "fan_out":
        return [f"{n + 1000}:{secret}" for n in range(given["items"])]
    return [f"{n}:{secret}" for n in range(counted[agent] or 0)]
