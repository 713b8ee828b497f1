"""The registry of log facts has exactly the facts that the server writes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.documents.fact_names import FACTS, SECTIONS

ROOT = Path(__file__).resolve().parents[2]


def _calls() -> Iterator[tuple[str, ast.Call]]:
    for package in ("models", "executor", "scheduler", "api"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                # Written where it stands, or as a value that is written after a commit.
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("fact", "Fact.of"):
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def _names(name: ast.expr) -> list[str]:
    """Return all names that a call may have; one that is put together means each registered name of that form."""
    match name:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=one, orelse=other):
            return _names(one) + _names(other)
        case ast.JoinedStr(values=parts):
            form = "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w+" for part in parts)
            return [known for known in FACTS if re.fullmatch(form, known)]
    raise AssertionError(f"the name of a fact is no text: {ast.dump(name)}")


def _level(call: ast.Call) -> str:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "level"]
    assert all(isinstance(value, ast.Constant) for value in given)
    return str(given[0].value) if given else "info"  # type: ignore[attr-defined]  # asserted above


CALLS = [(place, name, call) for place, call in _calls() for name in _names(call.args[0]) or ["(none)"]]


@pytest.mark.parametrize(("place", "name", "call"), CALLS, ids=[f"{name} {place}" for place, name, _ in CALLS])
def test_a_fact_is_registered_with_its_level_and_its_fields(place: str, name: str, call: ast.Call) -> None:
    assert name in FACTS, f"{place} writes a fact that ops/documents/fact_names.py does not know"
    known = FACTS[name]
    assert _level(call) in known.levels.split()
    fields = {keyword.arg for keyword in call.keywords if keyword.arg not in ("level", None)}
    assert fields <= set(known.fields.split())


@pytest.mark.parametrize("name", FACTS)
def test_a_registered_fact_is_written_somewhere_with_each_of_its_fields_and_levels(name: str) -> None:
    calls = [call for _, called, call in CALLS if called == name]
    assert calls, "nothing writes it"
    known = FACTS[name]
    assert {_level(call) for call in calls} == set(known.levels.split())
    keywords = {keyword.arg for call in calls for keyword in call.keywords} - {"level"}
    assert set(known.fields.split()) == keywords or None in keywords  # `**fields` are known at run time only


def test_each_fact_is_registered_once_in_whole_sentences() -> None:
    registered = [fact for facts in SECTIONS.values() for fact in facts]
    assert len(registered) == len(FACTS)
    assert all(text.endswith(".") for fact in registered for text in (fact.when, fact.todo) if text)
