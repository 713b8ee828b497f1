"""The tool loop example: the model receives what people deny, and chooses another way."""

from __future__ import annotations

import sys
from pathlib import Path

from taxiway.testing import Outcome, approve, deny, play

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sdk" / "examples"))

import tool_loop

REQUEST = "Please give me my money back for A7."


def _steps(outcome: Outcome) -> list[str]:
    return [step.name for step in outcome.steps]


def test_without_a_strategy_nobody_is_asked() -> None:
    outcome = play(tool_loop.assistant, request=REQUEST)
    assert outcome.result["answer"] == "Done: refund of 120.00."
    assert (_steps(outcome), outcome.asked, outcome.activations) == (
        ["ask_model", "find_order", "ask_model", "refund", "ask_model"], [], 1,
    )  # fmt: skip


def test_people_see_each_call_with_its_arguments() -> None:
    outcome = play(
        tool_loop.assistant, request=REQUEST, approval_strategy="ON_TOOL_CALL", given=[approve(), approve(step="refund")]
    )  # fmt: skip
    assert outcome.result["answer"] == "Done: refund of 120.00."
    assert outcome.prompts == ["Call find_order?", "Call refund?"]
    assert outcome.asked[1].details == {"function": "refund", "arguments": {"order_id": "A7", "amount": 120.0}}
    assert [step.approval for step in outcome.steps] == [None, "APPROVED", None, "APPROVED", None]


def test_a_denial_is_told_to_the_model_which_goes_another_way() -> None:
    given = [approve(step="find_order"), deny(step="refund", comment="it was on sale"), approve(step="send_voucher")]
    outcome = play(tool_loop.assistant, request=REQUEST, approval_strategy="ON_TOOL_CALL", given=given)
    assert outcome.result["answer"] == "Done: send voucher of 120.00."
    assert {"denied": "it was on sale"} in [message["content"] for message in outcome.result["messages"]]
    assert "refund" not in _steps(outcome), "what was denied was never called"


def test_when_everything_is_denied_the_model_says_so() -> None:
    outcome = play(
        tool_loop.assistant, request=REQUEST, approval_strategy="ON_TOOL_CALL", given=[approve(), deny(), deny(comment="no")]
    )  # fmt: skip
    assert outcome.result["answer"] == "I am not allowed to: no."


def test_a_call_that_fails_or_makes_no_sense_is_an_answer_to_the_model() -> None:
    assert play(tool_loop.assistant, request="What about Z9?").result["answer"] == (
        "I could not do that: there is no order 'Z9'."
    )
    odd = {"role": "assistant", "content": "", "calls": [{"tool": "erase", "arguments": {}}]}
    outcome = play(tool_loop.assistant, request=REQUEST, turns=1, stub={tool_loop.ask_model: odd})
    assert (outcome.status, outcome.error and outcome.error.message) == ("FAILED", "no answer after 1 turns")
    assert play(tool_loop.assistant, request="Hello?").result["answer"] == "Which order is it about?"


def test_a_model_that_is_busy_is_asked_again() -> None:
    busy = iter(
        [ConnectionError("busy"), ConnectionError("busy"), {"role": "assistant", "content": "Yes.", "calls": []}]
    )

    def model(messages: list[tool_loop.Message]) -> tool_loop.Message:
        if isinstance(said := next(busy), Exception):
            raise said
        return said

    outcome = play(tool_loop.assistant, request=REQUEST, stub={tool_loop.ask_model: model})
    assert (outcome.result["answer"], outcome.steps[0].attempts) == ("Yes.", 3)
