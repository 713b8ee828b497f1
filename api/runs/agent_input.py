"""Check of a run's input against its agent's JSON Schema and the limits of storage."""

from typing import Any

from api.catalogue import KnownAgent
from api.http.problems import FieldError, Problem
from api.json_schema.violations import violations
from api.runs.json_text import storable_text


def checked_input(value: Any, agent: KnownAgent, max_bytes: int, place: str = "input") -> str:
    """Return the input as the JSON text to store; raises Problem `payload_too_large` or `invalid_input`."""
    text = storable_text(value, max_bytes, place, lambda detail: _invalid(place, [FieldError(place, detail)]))
    errors = violations(value, agent.schema, place, "the agent")
    if errors:
        raise _invalid(place, errors)
    return text


def _invalid(place: str, errors: list[FieldError]) -> Problem:
    first = errors[0]
    return Problem("invalid_input", f"{place} does not fit the agent: {first.field} {first.detail}.", errors)
