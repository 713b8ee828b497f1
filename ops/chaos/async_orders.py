"""Inputs of the async agents, and their right results; the order of arrival may differ."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from ops.chaos.async_agents import LATE

ASYNC: Final = ("crowd", "racing", "deciding", "listening", "mapping", "tending")
WORDS: Final = ("listening", "tending")
"""Agents that wait for words: the number in their input, otherwise one."""


def draw_input(agent: str, rng: Random) -> dict[str, Any]:
    """Return a random input of one of these agents."""
    drawn: dict[str, dict[str, Any]] = {
        "crowd": {"tasks": rng.randint(2, 7), "millis": rng.choice([20, 100, 400])},
        "racing": {"rounds": rng.randint(1, 3), "millis": rng.choice([50, 200, 600])},
        "deciding": {"questions": rng.randint(1, 5), "seconds": rng.choice([0.5, 1.5, 4.0])},
        "listening": {"words": rng.randint(1, 4)},
        "mapping": {"children": rng.choice([1, 3, 6, 12]), "millis": rng.choice([0, 50, 400])},
        "tending": {"millis": rng.choice([50, 300])},
    }
    return drawn[agent]


def is_right(agent: str, given: dict[str, Any], result: Any) -> bool:
    """Return whether this is a right result of one of these agents."""
    secret = given["secret"]
    match agent:
        case "crowd":
            return bool(result == [_of_crowd(n, secret) for n in range(given["tasks"])])
        case "racing":
            return _is_race(given["rounds"], secret, result)
        case "deciding":
            return [answer[0] for answer in result] == [str(n) for n in range(given["questions"])] and all(
                answer[1] in ("approved", "denied", LATE) for answer in result
            )
        case "listening":
            return bool(result == [f"{n}:{secret}" for n in range(1, given["words"] + 1)])
        case "mapping":
            return bool(result == [f"root:{secret}", *(f"{n}:{secret}" for n in range(1, given["children"] + 1))])
        case "tending":
            return bool(result == [f"root:{secret}", f"1:{secret}", f"root:{secret}"])
    raise ValueError(agent)


def _of_crowd(n: int, secret: str) -> list[str]:
    inner = [f"{n}.{k}:{secret}" for k in range(n % 3)]
    return [f"{n}:{secret}", *inner, f"{n}:{secret}"]


def _is_race(rounds: int, secret: str, result: Any) -> bool:
    runners, clocks = result[::2], result[1::2]
    if (len(runners), len(clocks)) != (rounds, rounds):
        return False
    fair = all(
        won and set(won) <= {f"{n}.{k}:{secret}" for k in range(3)} and won == sorted(set(won))
        for n, won in enumerate(runners)
    )
    return fair and all(clock in ([f"{n}.t:{secret}"], [LATE]) for n, clock in enumerate(clocks))
