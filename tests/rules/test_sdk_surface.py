"""The public surface of the SDK, pinned: a name is added or removed deliberately."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import taxiway
from taxiway import AsyncRun, Run, agent
from taxiway.agents import DECLARED


def test_what_agents_and_clients_import_is_exactly_this() -> None:
    assert set(taxiway.__all__) == {
        *("agent", "step", "Run", "AsyncRun", "Retry"),
        *("step_info", "StepInfo", "emit", "progress", "log", "cancelled"),
        *("TaxiwayError", "StepFailed", "RetryAfter", "Fatal", "Canceled", "WaitTimeout"),
        *("ApprovalDenied", "Decision", "First", "Wait", "Child", "AsyncChild", "ChildFailed"),
        *("Grant", "AuthorizationDenied", "AuthorizationLost", "AuthorizationUnavailable"),
        *("Client", "AsyncClient", "RunHandle", "AsyncRunHandle", "NewRun", "RunFailed", "RunCanceled"),
    }
    for name in taxiway.__all__:
        assert getattr(taxiway, name).__name__ == name
    assert taxiway.__version__ == "0.1.0"
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        taxiway.nothing  # noqa: B018


@pytest.mark.parametrize("kind", [Run, AsyncRun])
def test_both_runs_have_the_same_verbs_with_the_same_options(kind: type) -> None:
    public = {name for name in dir(kind) if not name.startswith("_")}
    said, waited = {"emit", "progress", "log"}, {"wait_for", "sleep", "pause", "approve", "ask", "authorize"}
    together, unopened = {"gather", "first", "spawn", "map", "map_results"}, {"approval", "signal", "timer", "child"}
    facts, others = {"id", "user_id", "metadata", "activation"}, {"step", "using", "restart", "cleanup"}
    assert public == {*facts, *others, *said, *waited, *together, *unopened}
    for verb in ("using", "cleanup", *said, *waited, *together, *unopened):
        assert list(inspect.signature(getattr(kind, verb)).parameters) == list(
            inspect.signature(getattr(Run, verb)).parameters
        )


def test_authoring_imports_nothing_but_the_standard_library() -> None:
    code = """if True:
        import sys
        sys.path.insert(0, sys.argv[1])
        import taxiway
        print(sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names - {'__main__'}))
    """
    command = [sys.executable, "-I", "-S", "-c", code, str(Path(taxiway.__file__).parents[1])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['taxiway']"


def test_a_declared_agent_and_step_stay_ordinary_functions() -> None:
    @taxiway.step(name="other")
    def double(n: int) -> int:
        return 2 * n

    @agent(name="doubling", queue="q", timeout="2m", description="Doubles.")
    def main(run: object, n: int) -> int:
        return double(n)

    declared = DECLARED.pop()
    assert main(None, 4) == 8
    assert (declared.name, declared.queue, declared.timeout_ms) == ("doubling", "q", 120_000)
    assert (declared.description, declared.function, declared.is_async) == ("Doubles.", main, False)


def test_the_bare_decorators_work_too() -> None:
    @agent
    async def main(run: object) -> None:
        """Count words.

        At length.
        """

    declared = DECLARED.pop()
    assert (declared.name, declared.queue, declared.timeout_ms) == ("main", "default", None)
    assert (declared.description, declared.is_async) == ("Count words.", True)


@pytest.mark.parametrize("verb", ["step_info", "cancelled"])
def test_verbs_of_steps_say_where_they_work(verb: str) -> None:
    with pytest.raises(RuntimeError, match=rf"taxiway\.{verb}\(\) works inside a step only"):
        getattr(taxiway, verb)()


def test_public_values_stay_in_the_modules_that_records_name() -> None:
    """Digests of arguments and tags of recorded values hold `module:Name`: a class that moved would match no old record."""
    values = (
        *(taxiway.Grant, taxiway.Decision, taxiway.First, taxiway.StepInfo, taxiway.Retry),
        *(taxiway.Wait, taxiway.Child, taxiway.AsyncChild),
    )
    assert {f"{kind.__module__}:{kind.__qualname__}" for kind in values} == {
        *("taxiway.authorizations:Grant", "taxiway.approvals:Decision", "taxiway.verbs:First"),
        *("taxiway.inside:StepInfo", "taxiway.retry:Retry", "taxiway.waits:Wait"),
        *("taxiway.children:Child", "taxiway.children:AsyncChild"),
    }
