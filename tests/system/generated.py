"""Requests that a generator makes from the OpenAPI document, sent to a running API, and its findings.

Each failure is reported with the command that repeats its request.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from schemathesis import engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events

from tests.system import documented, formats

SECRET = "x-api-key"
_UNKNOWN_HEADER = "in header - object with unexpected properties"
"""No server refuses a header that it does not know. The generator knows that, but not beside the headers that we send along."""
_NOTHING_INVALID = "Invalid component: positive test case"
"""The generator was to break the document and did not, as it says itself; such a request is rightly accepted."""
_NO_FAILURES = (_UNKNOWN_HEADER, _NOTHING_INVALID)
Change = Callable[[schemathesis.Case], None]


@dataclass
class Found:
    """The results of one key."""

    failures: dict[tuple[str, str, str], str] = field(default_factory=dict)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)

    def note(self, scenario: Any) -> None:
        """Count the answers of a scenario, and keep each kind of failure once for each call."""
        for case_id, checks in scenario.recorder.checks.items():
            case = scenario.recorder.cases[case_id].value
            met = scenario.recorder.interactions.get(case_id)
            if met is not None and met.response is not None:
                self.answers[case.operation.label, met.response.status_code] += 1
            for check in checks:
                if check.status is not Status.FAILURE:
                    continue
                failure = check.failure_info.failure
                if not any(said in failure.message for said in _NO_FAILURES):
                    said = met.response.text[:600] if met is not None and met.response is not None else ""
                    name = (check.name, case.operation.label, failure.title + _field(said))
                    self.failures.setdefault(name, f"{failure.message}\n{said}\n{check.failure_info.code_sample}")

    def unmet(self, document: dict[str, Any]) -> set[str]:
        """Return the calls of the document that received no request."""
        calls = {f"{method.upper()} {path}" for path, calls in document["paths"].items() for method in calls}
        return calls - {call for call, _ in self.answers}

    def table(self) -> str:
        """Return a table of the answers to each call, which shows how deep the requests went."""
        calls: dict[str, list[str]] = {}
        for (call, status), times in sorted(self.answers.items()):
            calls.setdefault(call, []).append(f"{status}: {times}")
        return "\n".join(f"{call}  {', '.join(counted)}" for call, counted in calls.items())

    def told(self) -> str:
        return "\n\n".join(f"{' / '.join(name)}\n{text}" for name, text in self.failures.items())


def _field(said: str) -> str:
    found = re.search(r'"field":"([^"]*)"', said)
    return f" ({found[1]})" if found else ""


def settings_of(url: str, key: str, scopes: str, seconds: int, seed: int) -> SchemathesisConfig:
    """Return the settings of requests, as the generator's own file of settings would have them."""
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "base-url": url,
            "headers": {SECRET: key, documented.SCOPES: scopes},
            "max-time": seconds,
            "continue-on-failure": True,
            "request-timeout": 30,
            "max-stream-events": 1,
            "generation": {"database": "none"},
            "operations": [
                {"include-path-regex": "/sse$", "request-timeout": 1},
                # DELETE ends a run, and never deletes its history.
                {"include-path-regex": "^/v1/runs/", "checks": {"use_after_free": {"enabled": False}}},
            ],
            # It knows statuses, not codes; ours is `takes_what_it_documents`.
            "checks": {"positive_data_acceptance": {"enabled": False}},
            "output": {"sanitization": {"enabled": False}},
        }
    )


def send(config: SchemathesisConfig, document: dict[str, Any], change: Change, most: int | None = None) -> Found:
    """Send until the time is over, or `most` requests; `change` gives a request values that exist before it is sent."""
    formats.register()
    schema = schemathesis.openapi.from_dict(document, config=config)

    @schemathesis.hook
    def before_call(context: Any, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
        change(case)

    found = Found()
    try:
        sending = engine.from_schema(schema).execute()
        for event in sending:
            _take(found, event)
            if most is not None and sum(found.answers.values()) >= most:
                sending.stop()
    finally:
        schemathesis.hooks.unregister(before_call)
    return found


def _take(found: Found, event: Any) -> None:
    if isinstance(event, events.ScenarioFinished):
        found.note(event)
    elif isinstance(event, events.NonFatalError):
        found.failures["error", event.label, type(event.value).__name__] = (
            f"{event.info.title} {event.info.message} {event.info.details}"
        )
    elif isinstance(event, events.FatalError):
        raise event.exception
