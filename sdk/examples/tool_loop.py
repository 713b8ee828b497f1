"""Tool loop of an assistant: a model proposes tool calls, the run makes them and returns their results to the model.

Enqueued with `--approval-strategy ON_TOOL_CALL`, people see each call and its arguments and approve it, or deny it with a
comment; the model receives a denial and chooses another way. The model here is a script and calls no service.
"""

from __future__ import annotations

import re
from typing import Any

from taxiway import ApprovalDenied, Fatal, Retry, Run, StepFailed, agent, log, step, step_info

Message = dict[str, Any]

ORDERS = {"A7": {"item": "kettle", "paid": 120.0}, "B2": {"item": "lamp", "paid": 35.5}}


@agent
def assistant(run: Run, request: str, turns: int = 10) -> Message:
    """Handle a customer's request with the tools below; return the answer and the whole conversation."""
    messages: list[Message] = [{"role": "user", "content": request}]
    for turn in range(turns):
        run.progress(turn, note="thinking")
        said = run.step(ask_model, messages)
        messages.append(said)
        if not said["calls"]:
            return {"answer": said["content"], "messages": messages}
        messages += [{"role": "tool", "call": call, "content": use(run, call)} for call in said["calls"]]
    raise RuntimeError(f"no answer after {turns} turns")


def use(run: Run, call: dict[str, Any]) -> Any:
    """Make one call of the model; an error becomes an answer to the model and does not end the run."""
    if call["tool"] not in TOOLS:
        return {"error": f"there is no tool {call['tool']!r}, only {', '.join(TOOLS)}"}
    try:
        return run.step(TOOLS[call["tool"]], **call["arguments"])
    except ApprovalDenied as denied:
        return {"denied": denied.comment or "no reason was given"}
    except StepFailed as failed:
        return {"error": failed.message}


@step(tool=True, on_deny="raise")
def find_order(order_id: str) -> dict[str, Any]:
    """Look an order up."""
    if order_id not in ORDERS:
        raise Fatal(f"there is no order {order_id!r}")
    return {"order_id": order_id, **ORDERS[order_id]}


@step(tool=True, on_deny="raise", once=True)
def refund(order_id: str, amount: float) -> dict[str, Any]:
    """Refund the money. A payment provider takes the key, and makes no second refund with the same one."""
    log(f"refunding {amount:.2f} for {order_id} under the key {step_info().idempotency_key}")
    return {"order_id": order_id, "refunded": amount}


@step(tool=True, on_deny="raise", once=True)
def send_voucher(order_id: str, amount: float) -> dict[str, Any]:
    """Send a voucher."""
    log(f"a voucher of {amount:.2f} for {order_id} under the key {step_info().idempotency_key}")
    return {"order_id": order_id, "voucher": amount}


TOOLS = {tool.__name__: tool for tool in (find_order, refund, send_voucher)}


@step(retry=Retry(attempts=5, initial="2s"))
def ask_model(messages: list[Message]) -> Message:
    """Return the model's reply to the conversation so far; a recorded reply is never requested again.

    Replace this script by a call of your model, with `messages` and the signatures of TOOLS.
    """
    last = messages[-1]
    if last["role"] == "user":
        order = re.search(r"\b[A-Z]\d+\b", last["content"])
        return _call("find_order", order_id=order[0]) if order else _say("Which order is it about?")
    call, came = last["call"], last["content"]
    match call["tool"], came:
        case _, {"error": problem}:
            return _say(f"I could not do that: {problem}.")
        case "find_order", {"order_id": order_id, "paid": paid}:
            return _call("refund", order_id=order_id, amount=paid)
        case "refund", {"denied": _}:
            return _call("send_voucher", **call["arguments"])
        case _, {"denied": why}:
            return _say(f"I am not allowed to: {why}.")
    return _say(f"Done: {call['tool'].replace('_', ' ')} of {call['arguments']['amount']:.2f}.")


def _say(content: str) -> Message:
    return {"role": "assistant", "content": content, "calls": []}


def _call(tool: str, **arguments: Any) -> Message:
    return {"role": "assistant", "content": "", "calls": [{"tool": tool, "arguments": arguments}]}
