"""Writes `docs/sql/*.sql`: the statements of the law as they are sent, one file for each module that has some.

A statement is a constant of its module that is no part of another statement. Its comment in the source is its purpose here.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from types import ModuleType
from typing import NamedTuple

from models import control_requests, idle_ends, moves
from models.operations import bulk, schedules
from models.promotion import conflicts, place_limits, places, tickets
from models.runs import children, deletion, holding, opening, recording, turns
from models.waiting import park, waits, wake

MODULES = (
    bulk, children, conflicts, control_requests, deletion, holding, idle_ends, moves, opening, place_limits, places, recording,
    park, schedules, tickets, turns, waits, wake,
)  # fmt: skip

WIDTH = 120
_STATEMENT = re.compile(r"\s*(?:WITH|SELECT|INSERT|UPDATE|DELETE)\b")
_BREAKS = ("AND", "CASE", "ELSE", "FROM", "FOR UPDATE", "JOIN", "OR", "ORDER BY", "THEN", "UNION", "WHEN", "WHERE")
_COMMENT = r"((?:^# [^-\n].*\n)*)"


class Found(NamedTuple):
    """A statement, its constant in the source, and its name in the document."""

    constant: str
    name: str
    sql: str


def documents() -> dict[str, Callable[[], str]]:
    """Return the files, and what writes each."""
    return {f"docs/sql/{_name(module)}.sql": partial(text, module) for module in MODULES}


def text(module: ModuleType) -> str:
    """Return the statements of one module."""
    head = f"-- Generated from {module.__name__.replace('.', '/')}.py; README.md tells how to EXPLAIN a statement.\n"
    return head + "".join(
        f"\n-- {found.name}\n{_purpose(module, found.constant)}{_laid_out(found.sql)};\n"
        for found in statements(module)
    )


def statements(module: ModuleType) -> Iterator[Found]:
    """Yield each statement, in the order of the source."""
    own = [name for name in vars(module) if re.search(rf"^{name} = ", inspect.getsource(module), re.MULTILINE)]
    found = list(chain.from_iterable(_found(name, vars(module)[name]) for name in own))
    for one in found:
        if _STATEMENT.match(one.sql) and not any(one.sql in other.sql for other in found if other.sql != one.sql):
            yield one


def _found(constant: str, value: object) -> Iterator[Found]:
    name = constant.lstrip("_").lower()
    if isinstance(value, str):
        yield Found(constant, name, value)
    elif isinstance(value, Mapping):
        yield from (Found(constant, f"{name}: {key}", sql) for key, sql in value.items() if isinstance(sql, str))


def _purpose(module: ModuleType, constant: str) -> str:
    """Return the comment above the constant, or the first sentence of the function that sends the statement."""
    found = re.search(rf"{_COMMENT}^{constant} = ", inspect.getsource(module), re.MULTILINE)
    assert found is not None, f"{module.__name__} has no constant {constant}"
    return re.sub(r"^#", "--", found[1] or _sentence(module, constant), flags=re.MULTILINE)


def _sentence(module: ModuleType, constant: str) -> str:
    for _, function in inspect.getmembers(module, inspect.isfunction):
        if re.search(rf"\b{constant}\b", inspect.getsource(function)) and function.__doc__:
            return f"# {function.__doc__.splitlines()[0]}\n"
    return ""


def _laid_out(sql: str) -> str:
    """Return the statement without the indentation of its first line."""
    first, _, rest = sql.lstrip("\n").rstrip().partition("\n")
    text = textwrap.dedent(f"{first}\n{rest}") if first.startswith(" ") else f"{first}\n{textwrap.dedent(rest)}"
    return "\n".join(chain.from_iterable(_broken(line) for line in text.rstrip().splitlines()))


def _broken(line: str) -> Iterator[str]:
    """Yield a long line in parts, each broken before a word of SQL; such a word stands in no literal of ours."""
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    while len(line) > WIDTH and "--" not in line:
        cut = max(line.rfind(f" {word} ", len(indent) + 1, WIDTH) for word in _BREAKS)
        cut = cut if cut > 0 else line.rfind(", ", len(indent), WIDTH) + 1
        if cut <= 0:
            break
        yield line[:cut]
        line = indent + line[cut + 1 :]
    yield line


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]
