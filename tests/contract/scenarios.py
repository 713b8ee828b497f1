"""The scenarios: what an agent is given, and the result that must follow, in play and on real processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from taxiway.testing import Given, answer, approve, deny, expire, grant, resume, signal


@dataclass(frozen=True)
class Seen:
    """Result of a run. A step reads `name`, `name x3` after three attempts, `name!` if it failed, `name ok` if approved."""

    status: str
    result: Any = None
    reason: str | None = None
    error: str | None = None
    steps: Sequence[str] = ()
    asked: Sequence[tuple[str, str]] = ()
    effects: Sequence[str] = ()


@dataclass(frozen=True)
class Scenario:
    """One run; `log` names a file for the traces of agents that leave some."""

    name: str
    agent: str
    seen: Seen
    given: Sequence[Given] = ()
    input: dict[str, Any] = field(default_factory=dict)
    log: bool = False
    strategy: str = "NONE"


def success(result: Any, **more: Any) -> Seen:
    return Seen("SUCCESS", result, **more)


def failed(code: str, kind: str, **more: Any) -> Seen:
    return Seen("FAILED", reason=code, error=f"{code} {kind}", **more)


def canceled(reason: str, **more: Any) -> Seen:
    return Seen("CANCELED", reason=reason, **more)


BEFORE = {"steps": ["note"], "effects": ["before", "beside"]}
AFTER = {"steps": ["note", "note"], "effects": ["before", "beside", "beside", "after"]}
PAST = "past it, or approved"
ELM = {"street": "Elm", "number": 7}

STEPS = [
    Scenario(
        "steps one after the other", "sequence", log=True,
        seen=success(["one", "Address", ELM, ["same", "same"]], steps=["note", "locate", "note", "note"],
        effects=["one", "same", "same"]),
    ),
    Scenario("a step that succeeds at its third attempt", "flaky", success("at last", steps=["tried x3"], effects=["tried"] * 3),
             input={"times": 2, "attempts": 3}, log=True),
    Scenario("a step whose attempts are used up", "flaky", failed("step_error", "ValueError", steps=["tried x2!"],
             effects=["tried"] * 2),
             input={"times": 9, "attempts": 2}, log=True),
    Scenario("a back-off that is spent parked", "flaky", success("at last", steps=["tried x2"], effects=["tried"] * 2),
             input={"times": 1, "attempts": 2, "initial": 5}, log=True),
    Scenario("a fatal error is not tried again", "flaky", failed("step_error", "Fatal", steps=["tried!"], effects=["tried"]),
             input={"times": 9, "attempts": 5, "kind": "Fatal"}, log=True),
    Scenario("an error that the policy gives up on", "flaky", failed("step_error", "TypeError", steps=["tried!"],
             effects=["tried"]),
             input={"times": 9, "attempts": 5, "kind": "TypeError"}, log=True),
    Scenario("an async agent's step is tried again", "flaky_async", success("at last", steps=["tried x3"],
             effects=["tried"] * 3), log=True),
    Scenario("a failed step that is caught", "caught",
             success(["fail", "ValueError", "no", "step_error", "7"], steps=["fail!", "other"])),
    Scenario("an exception outside of steps", "careless", failed("agent_error", "LookupError", steps=["fine"])),
    Scenario("a step that outlasts its time", "slow", failed("timeout", "TimeoutError", steps=["slow!"])),
    Scenario("a step that is executed once only", "once", success("paid", steps=["pay"], effects=["paid"]), log=True),
    Scenario("a step that returns what JSON cannot hold", "unfit", failed("invalid_output", "InvalidValue", steps=["unfit!"]),
             input={"step": True}),
    Scenario("an agent that returns what JSON cannot hold", "unfit", failed("invalid_output", "InvalidValue"),
             input={"step": False}),
]  # fmt: skip

SHIP = {"agent": "ship", "log": True}
_DENIED = {
    "cancel": canceled("denied", **BEFORE),
    "fail": failed("denied", "ApprovalDenied", **BEFORE),
    "raise": failed("denied", "ApprovalDenied", steps=["note"], effects=["before", "beside", "beside"]),
    "return": success([False, None, "too dear", "ann"], **AFTER),
}
_LATE = {
    "deny": {
        "cancel": canceled("timeout", **BEFORE),
        "fail": failed("timeout", "ApprovalDenied", **BEFORE),
        "raise": failed("denied", "ApprovalDenied", steps=["note"], effects=["before", "beside", "beside"]),
        "return": success([False, None, None, None], **AFTER),
    },
    "fail": failed("timeout", "WaitTimeout", steps=["note"], effects=["before", "beside", "beside"]),
    "return": success([False, None, None, None], **AFTER),
}


def _with(seen: Seen, **more: Any) -> Seen:
    return Seen(**{**seen.__dict__, **more})


POLICIES = [
    Scenario("an approval with a choice", given=[approve("Ship*", choice="sea", comment="go", by="ann")], **SHIP,
             seen=success([True, "sea", "go", "ann"], asked=[("Ship it?", "approved")], **AFTER)),
    *(
        Scenario(f"a denial under on_deny={policy}", given=[deny("Ship it?", comment="too dear", by="ann")], **SHIP,
                 input={"on_deny": policy}, seen=_with(seen, asked=[("Ship it?", "denied")]))
        for policy, seen in _DENIED.items()
    ),
    *(
        Scenario(
            f"nobody comes under on_timeout={late} and on_deny={policy}", **SHIP,
            input={"on_deny": policy, "on_timeout": late, "timeout": 0.2},
            seen=_with(
                _LATE["deny"][policy] if late == "deny" else _LATE[late],  # type: ignore[index,arg-type]
                asked=[("Ship it?", {"deny": "denied", "fail": "timeout", "return": "expired"}[late])],
            ),
        )
        for late in ("deny", "fail", "return") for policy in ("cancel", "fail", "raise", "return")
    ),
    Scenario("a denial that is caught", "lenient", success(["May I?", "test", "no"], asked=[("May I?", "denied")]),
             given=[deny(comment="no")]),
    Scenario("a run that may begin", **SHIP, strategy="ON_START", given=[approve("Start*"), approve("Ship*", choice="air")],
             seen=success([True, "air", None, "test"], asked=[("Start ship?", "approved"), ("Ship it?", "approved")], **AFTER)),
    Scenario("a run that may not begin", **SHIP, strategy="ON_START", given=[deny("Start ship?")],
             seen=canceled("denied", asked=[("Start ship?", "denied")])),
    Scenario("tools that are asked for one by one", "loop", strategy="ON_TOOL_CALL",
             given=[deny(step="search", comment="no cats"), approve(step="search")],
             seen=success(["no: no cats", "dogs 3"], steps=["search ok"],
             asked=[("Call search?", "denied"), ("Call search?", "approved")])),
    Scenario("another way after a denied tool, and a wait", "detour", strategy="ON_TOOL_CALL",
             given=[deny(), signal("word", 1, after=0.3)],
             seen=success(1, steps=["other way"], asked=[("Call search?", "denied")])),
    Scenario("tools that nobody asks for", "loop", success(["cats 3", "dogs 3"], steps=["search", "search"])),
    Scenario("a denied tool that cancels", "one_tool", canceled("denied", asked=[("Call search?", "denied")]),
             input={"on_deny": "cancel"}, strategy="ON_TOOL_CALL", given=[deny()]),
    Scenario("a denied tool that fails the run", "one_tool", failed("denied", "ApprovalDenied",
             asked=[("Call search?", "denied")]),
             input={"on_deny": "fail"}, strategy="ON_TOOL_CALL", given=[deny()]),
    Scenario("tools that are called at once", "tools_at_once", strategy="ON_TOOL_CALL", given=[approve(), approve()],
             seen=success(["cats 1", "dogs 1"], steps=["search ok", "search ok"], asked=[("Call search?", "approved")] * 2)),
]  # fmt: skip

WAITS = [
    Scenario("a question", "where", success(["Address", ELM], asked=[("Where to?", "answered")]), given=[answer("Where*", ELM)]),
    Scenario("a question that nobody answers", "where", failed("timeout", "WaitTimeout", asked=[("Where to?", "timeout")]),
             input={"timeout": 0.2}),
    Scenario("signals that come first, in their order", "hear", success([1, "two", None]), input={"count": 3},
             given=[signal("word", 1), signal("word", "two"), signal("word")]),
    Scenario("signals that come later", "hear", success([{"n": 1}, 2]), input={"count": 2},
             given=[signal("word", {"n": 1}, after=0.4), signal("word", 2, after=0.8)]),
    Scenario("a signal in the shape that is waited for", "hear", success([7]), input={"number": True}, given=[signal("word", 7)]),
    Scenario("an early signal of another shape", "hear", failed("agent_error", "InvalidValue"), input={"number": True},
             given=[signal("word", "seven")]),
    Scenario("a signal that does not come", "hear", failed("timeout", "WaitTimeout"), input={"timeout": 0.2}),
    Scenario("a signal that does not come, caught", "hear", success("signal 'word' did not come in time"),
             input={"timeout": 0.2, "catch": True}),
    Scenario("a sleep", "nap", success("rested"), input={"seconds": 0.3}),
    Scenario("a sleep of no time", "nap", success("rested"), input={"seconds": 0}),
    Scenario("a pause that somebody ends", "stand", success("went on"), given=[resume("somebody*")]),
    Scenario("a pause that nobody ends", "stand", failed("timeout", "WaitTimeout"), input={"timeout": 0.2}),
    Scenario("two approvals, both given", "both", success([True, True], asked=[("One?", "approved"), ("Two?", "approved")]),
             given=[approve("Two?"), approve("One?", after=0.2)]),
    Scenario("two approvals, one denied", "both", success([True, False], asked=[("One?", "approved"), ("Two?", "denied")]),
             given=[deny("Two?"), approve("One?", after=0.2)]),
    Scenario("a denial ends the run while another question is open", "both", input={"policy": "cancel"}, given=[deny("Two?")],
             seen=canceled("denied", asked=[("One?", "withdrawn"), ("Two?", "denied")])),
    Scenario("waits of every kind together", "mixed", success([True, "w", None], asked=[("Go?", "approved")]),
             given=[approve("Go?", after=0.3), signal("word", "w")]),
    Scenario("a decision before a timer", "either", success([0, True], asked=[("Really?", "approved")]), input={"timer": 60},
             given=[approve()]),
    Scenario("a timer before any decision", "either", success([1, None], asked=[("Really?", "withdrawn")]), input={"timer": 0.1}),
    Scenario("reminders until somebody decides", "reminded", success(["test", True], asked=[("Really?", "approved")]),
             given=[approve(after=0.7)]),
    Scenario("a denial that is seen only later cancels then", "late_look", given=[deny(after=1.2)],
             input={"on_deny": "cancel"}, log=True,
             seen=canceled("denied", steps=["note"], effects=["rested"], asked=[("Meanwhile?", "denied")])),
    Scenario("a denial that is seen only later is returned then", "late_look", given=[deny(after=1.2)],
             input={"on_deny": "return"},
             log=True, seen=success(False, steps=["note"], effects=["rested"], asked=[("Meanwhile?", "denied")])),
    Scenario("a time that is let run out", "hear", failed("timeout", "WaitTimeout"), input={"timeout": 0.1},
             given=[expire("word")]),
]  # fmt: skip

CODE = [
    Scenario("another step than before", "other_step", Seen("PAUSED", reason="code_mismatch", error="code_mismatch",
             steps=["old"])),
    Scenario("another wait than before", "other_wait", Seen("PAUSED", reason="code_mismatch", error="code_mismatch")),
]  # fmt: skip

PAST_APPROVALS = [
    Scenario(f"{name}, approved", name, success(PAST, steps=["past"], effects=["past"], asked=[("Past this?", "approved")]),
             log=True,
             given=[approve()])
    for name in ("swallowing", "returning", "tidy", "swallowing_async", "returning_async", "tidy_async", "collecting_async")
]  # fmt: skip

ASYNC = [
    Scenario("tasks that wait side by side, and a step beside them", "side_by_side", log=True,
             given=[signal("two", 2, after=0.5), signal("one", 1, after=0.9)],
             seen=success([[1, "one"], [2, "two"], "end"], steps=["after one", "after two", "stride"], effects=["begin", "end"])),
    Scenario("asyncio.gather of waits", "gathered",
             given=[deny("Two?"), approve("One?", after=0.2), signal("word", "w", after=0.6)],
             seen=success([True, False, "w"], asked=[("One?", "approved"), ("Two?", "denied")])),
    Scenario("a denial in a task group", "grouped", given=[deny("Denied?")],
             seen=failed("denied", "ApprovalDenied", asked=[("Denied?", "denied"), ("Fine?", "withdrawn")])),
    Scenario("asyncio.wait, and the signal comes", "raced", success("hello"), given=[signal("word", "hello")]),
    Scenario("asyncio.wait, and nobody comes", "raced", success("nobody said a word")),
    Scenario("asyncio.timeout holds while the agent waits", "limited", success("gave up")),
    Scenario("first of an async agent", "first_async", success([1, None])),
    Scenario("first of an async agent, and the signal comes", "first_async", success([0, 5]), given=[signal("word", 5)]),
]  # fmt: skip

CHILDREN = [
    Scenario("a child", "parent", success(["double", 8], steps=["spawn:double/only", "between"])),
    Scenario("several children", "spread", success([2, 4, 6], steps=["spawn:double"]), input={"numbers": [1, 2, 3]}),
    Scenario("a child that fails", "spread", failed("child_failed", "ChildFailed", steps=["spawn:double"]),
             input={"numbers": [1, -2]}),
    Scenario("a child that fails, returned", "spread", success([2, ["FAILED", "step_error"]], steps=["spawn:double"]),
             input={"numbers": [1, -2], "return_errors": True}),
    Scenario("the first child to end", "racing", success([1, 10], steps=["spawn:patient", "spawn:double"])),
    Scenario("children among other waits", "mixed_family", given=[deny("All?", after=0.3)],
             seen=success([[2, 4], 2], steps=["spawn:double", "spawn:double"], asked=[("All?", "denied")])),
    Scenario("a child that is given another input than it takes", "wrong_input",
             success(["FAILED", "invalid_input"], steps=["spawn:double"])),
    Scenario("nothing gets past a beginning anew", "restarting", success(None), log=True),
    Scenario("a run that begins anew", "countdown", success(None), input={"n": 1}),
    Scenario("a parent hears of the last run of a child that begins anew", "launch",
             success("lift-off", steps=["spawn:countdown"])),
    Scenario("children of an async agent", "spread_async", success([12, 200, 200, True], steps=["spawn:double"] * 3)),
]  # fmt: skip

_ASKED = [("bank", "authorized")]
GRANTS = [
    Scenario("an authorization", "acting", input={"subject": "ann"}, given=[grant("bank", token="t1")],
             seen=success(["bank", "ann", ["read"], "t1"], steps=["use"], asked=_ASKED)),
    Scenario("an authorization of an async agent", "acting_async", input={"subject": "bea"}, given=[grant("bank", token="t1")],
             seen=success("t1", steps=["use_async"], asked=_ASKED)),
    Scenario("what was authorized before is not asked for again, unless for more", "acting_twice", input={"subject": "cleo"},
             given=[grant("bank", token="t1"), grant("bank", token="t2", after=0.1)],
             seen=success(["t2", True, ["read", "write"]], steps=["use"], asked=_ASKED * 2)),
    Scenario("a step that loses its authorization is repeated with the next one", "acting", input={"subject": "dora"},
             given=[grant("bank", token="stale"), grant("bank", token="t2", after=0.1)],
             seen=success(["bank", "dora", ["read"], "t2"], steps=["use"], asked=_ASKED * 2)),
    *(
        Scenario(f"a refused authorization under on_deny={policy}", "acting", input={"subject": policy, "on_deny": policy},
                 given=[deny("bank")], seen=_with(seen, asked=[("bank", "denied")]))
        for policy, seen in (
            ("fail", failed("authorization_failed", "AuthorizationFailed")),
            ("cancel", canceled("denied")),
            ("return", success(None)),
            ("raise", failed("authorization_failed", "AuthorizationDenied")),
        )
    ),
    Scenario("nobody authorizes in time", "acting", input={"subject": "eve", "timeout": 0.2},
             seen=failed("timeout", "WaitTimeout", asked=[("bank", "timeout")])),
    Scenario("a refused authorization that is caught", "refused", input={"subject": "flo"}, given=[deny("bank", comment="no")],
             seen=success("the authorization at 'bank' was denied: no", asked=[("bank", "denied")])),
    Scenario("an authorization that another system carries out", "connected", input={"subject": "gus"}, given=[grant("bank")],
             seen=success(["bank", []], asked=_ASKED)),
]  # fmt: skip

A7 = {"order_id": "A7", "amount": 120.0}


def _called(tool: str, arguments: dict[str, Any], came: Any) -> list[dict[str, Any]]:
    call = {"tool": tool, "arguments": arguments}
    return [{"role": "assistant", "content": "", "calls": [call]}, {"role": "tool", "call": call, "content": came}]


EXAMPLES = [
    Scenario(
        "the tool loop among the examples", "assistant", strategy="ON_TOOL_CALL", input={"request": "Money back for A7!"},
        given=[approve(step="find*"), deny(step="refund", comment="on sale"), approve(step="send_voucher")],
        seen=success(
            {
                "answer": "Done: send voucher of 120.00.",
                "messages": [
                    {"role": "user", "content": "Money back for A7!"},
                    *_called("find_order", {"order_id": "A7"}, {"order_id": "A7", "item": "kettle", "paid": 120.0}),
                    *_called("refund", A7, {"denied": "on sale"}),
                    *_called("send_voucher", A7, {"order_id": "A7", "voucher": 120.0}),
                    {"role": "assistant", "content": "Done: send voucher of 120.00.", "calls": []},
                ],
            },
            steps=["ask_model"] * 4 + ["find_order ok", "send_voucher ok"],
            asked=[("Call find_order?", "approved"), ("Call refund?", "denied"), ("Call send_voucher?", "approved")],
        ),
    ),
    Scenario(
        "the tool loop, and nobody is asked", "assistant", input={"request": "Money back for Z9!"},
        seen=success(
            {
                "answer": "I could not do that: there is no order 'Z9'.",
                "messages": [
                    {"role": "user", "content": "Money back for Z9!"},
                    *_called("find_order", {"order_id": "Z9"}, {"error": "there is no order 'Z9'"}),
                    {"role": "assistant", "content": "I could not do that: there is no order 'Z9'.", "calls": []},
                ],
            },
            steps=["ask_model", "ask_model", "find_order!"],
        ),
    ),
]  # fmt: skip

SCENARIOS = [*STEPS, *POLICIES, *WAITS, *CODE, *PAST_APPROVALS, *ASYNC, *CHILDREN, *GRANTS, *EXAMPLES]
