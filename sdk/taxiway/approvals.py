"""Approvals and questions: the requests that people see, and their decisions.

An approval is identified by exactly what people are shown, so that a decision never counts for another request.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from taxiway.annotation_shapes import shape_of
from taxiway.choices import check_choice
from taxiway.decode import decode
from taxiway.durations import Duration, until
from taxiway.encode import plain
from taxiway.errors import DENIED, ApprovalDenied, Halt, InvalidValue
from taxiway.identity import checked_name
from taxiway.schema import value_schema
from taxiway.shapes import Shape
from taxiway.storable_text import storable
from taxiway.waits import TIMED_OUT, Settled, Wish

APPROVAL: Final = "approval"
OnDeny = Literal["cancel", "fail", "return", "raise"]
OnTimeout = Literal["deny", "fail", "return"]
_ON_DUE: Final[dict[str, str]] = {"deny": "denied", "fail": TIMED_OUT, "return": "expired"}
MAX_REQUEST: Final = 60 * 1024


@dataclass(frozen=True)
class Decision:
    """A person's decision; true if it is an approval. `by` is None if the timeout decided."""

    approved: bool
    choice: str | None = None
    comment: str | None = None
    by: str | None = None
    at: datetime | None = None

    def __bool__(self) -> bool:
        return self.approved


@dataclass(frozen=True)
class ApprovalWish(Wish):
    """A wait for a person's approval or denial."""

    @property
    def title(self) -> str:
        """The prompt."""
        return str(self.request["prompt"])

    def answered(self, settled: Settled, answer: Any) -> Any:
        """Return the decision. A denial raises ApprovalDenied, or Halt if it cancels the run."""
        policy, why = self.request["onDeny"], f": {settled.comment}" if settled.comment else ""
        if settled.outcome == "denied" and policy == "cancel":
            raise Halt(DENIED, f"denied by {settled.by or 'the clock'}{why}")
        if settled.outcome == "denied" and policy != "return":
            raise ApprovalDenied(self.title, settled.by, settled.comment)
        at = None if settled.at is None else datetime.fromisoformat(settled.at)
        choice = (answer or {}).get("choice")
        return Decision(settled.outcome == "approved", choice, settled.comment, settled.by, at)


@dataclass(frozen=True)
class QuestionWish(Wish):
    """A wait for a person's answer."""

    shape: Shape | None = None

    @property
    def title(self) -> str:
        """The prompt."""
        return str(self.request["prompt"])

    def answered(self, settled: Settled, answer: Any) -> Any:  # noqa: ARG002 - an answer needs no name
        """Return the answer as a value of its annotated type; raise InvalidValue if it does not fit."""
        assert self.shape is not None
        try:
            return decode(self.shape, answer["answer"])
        except InvalidValue as error:
            raise InvalidValue(f"answer to {self.title!r}: {error.path}", error.problem) from None


def approval(
    prompt: str,
    *,
    details: object = None,
    choices: Sequence[str] | None = None,
    approvers: Sequence[str] | None = None,
    timeout: Duration | None = "7d",
    on_deny: OnDeny = "cancel",
    on_timeout: OnTimeout = "deny",
    step: dict[str, str] | None = None,
) -> Wish:
    """Describe an approval; raise TypeError or ValueError for an invalid one."""
    check_choice("on_deny", on_deny, OnDeny)
    check_choice("on_timeout", on_timeout, OnTimeout)
    shown = {
        "prompt": _text(prompt),
        "details": plain(details),
        "choices": None if choices is None else _names("choices", choices),
        "approvers": None if approvers is None else _names("approvers", approvers),
        "step": step,
    }
    return ApprovalWish(
        APPROVAL, _digest(shown), until(timeout), _ON_DUE[on_timeout], _bounded({**shown, "onDeny": on_deny})
    )


def question(prompt: str, answer: Any, timeout: Duration | None) -> Wish:
    """Describe a question whose answer has the type `answer`; raise TypeError or UnknownType for an invalid one."""
    shape = shape_of(answer)
    shown = {"prompt": _text(prompt), "answer": value_schema(shape)}
    # Runs that asked before defaults were shown are identified by this digest: it must not include defaults.
    digest = _digest({**shown, "answer": value_schema(shape, defaults=False)})
    return QuestionWish(APPROVAL, digest, until(timeout), TIMED_OUT, _bounded(shown), shape)


def _text(prompt: str) -> str:
    if not isinstance(prompt, str) or not prompt.strip():
        raise TypeError("a prompt is a text for people")
    return storable(prompt)


def _names(what: str, names: Sequence[str]) -> list[str]:
    if isinstance(names, str) or not names:
        raise TypeError(f"{what} is a list of names, not {names!r:.80}")
    return [checked_name(name) for name in names]


def _bounded(request: dict[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(request, ensure_ascii=False).encode())
    if size > MAX_REQUEST:
        raise ValueError(f"the request to people has {size:,} bytes of JSON, {MAX_REQUEST:,} are allowed")
    return request


def _digest(shown: dict[str, Any]) -> str:
    text = json.dumps(shown, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
