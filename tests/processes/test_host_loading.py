"""A real host imports agents, from files and packages, or states in one sentence why it cannot."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.processes.host_driver import Host, Run, agents_file

SDK = Path(__file__).parents[2] / "sdk"


def test_a_user_s_own_modules_named_like_ours_win(tmp_path: Path) -> None:
    for name in ("models", "api", "executor", "scheduler", "taxiway"):
        (tmp_path / f"{name}.py").write_text(f"WHOSE = 'the user, {name}'\n")
    source = """
    import api, executor, models, scheduler

    @agent
    def main(run: Run):
        import taxiway.frames
        return [module.WHOSE for module in (api, executor, models, scheduler)]
    """
    with Host(agents_file(tmp_path, source), cwd=Path(__file__).parents[2]) as host:
        host.hello()
        whose = host.result(Run("main"))
    assert whose == [f"the user, {name}" for name in ("api", "executor", "models", "scheduler")]


def test_agents_come_from_files_and_packages_together(tmp_path: Path) -> None:
    package = tmp_path / "ours" / "flows"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").write_text("from ours.flows.billing import bill\n")
    agents_file(package, "@agent\ndef bill(run): return __name__\n", "billing.py")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    file = agents_file(elsewhere, "@agent\ndef main(run): return [__name__, __file__]\n")
    with Host("ours.flows", file, cwd=tmp_path) as host:
        assert [agent["name"] for agent in host.hello()["agents"]] == ["bill", "main"]
        assert host.result(Run("bill")) == "ours.flows.billing"
        host.next()
        assert host.result(Run("main")) == ["my_agents", str(file)]


@pytest.mark.parametrize(
    ("source", "kind", "says", "line"),
    [
        ("import no_such_thing", "ModuleNotFoundError", "No module named 'no_such_thing'", 5),
        ("x = (", "SyntaxError", "cannot be imported: SyntaxError", 5),
        ("1 / 0", "ZeroDivisionError", "division by zero", 5),
        ("sys.exit(7)", "SystemExit", "called sys.exit(7) while it was imported", 5),
        ("sys.exit(0)", "SystemExit", "called sys.exit(0) while it was imported", 5),
        (
            "os.environ['A_KEY']",
            "KeyError",
            "A_KEY is not set; set it for the worker, and list it in TAXIWAY_AGENT_ENV",
            5,
        ),
        ("{}['A_KEY']", "KeyError", "cannot be imported: KeyError: 'A_KEY'", 5),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "cannot be imported", 5),
        ("class Own(BaseException): ...\nraise Own('x')", "Own", "cannot be imported: Own: x", 6),
        ("from helper import x", "ValueError", "cannot be imported: ValueError: in helper", 1),
        ("", "NoAgents", "no function there is declared with @taxiway.agent", None),
        ("@agent\ndef main(): ...", "TypeError", "needs a first parameter", 5),
        ("@agent\ndef main(run, *rest): ...", "TypeError", "must be accepted by name", 5),
        ("@agent\ndef main(run): yield", "TypeError", "is a generator", 5),
        ("@agent\ndef main(run, x: complex): ...", "UnknownType", "input 'x': complex has no counterpart in JSON", 5),
        ("@agent\ndef main(run) -> complex: ...", "UnknownType", "main -> complex cannot be recorded", 5),
        (
            "@step\ndef load() -> set: ...",
            "UnknownType",
            "load -> set cannot be recorded: set lacks the type of its items",
            5,
        ),
        (
            "@agent\ndef main(run): ...\n@step\ndef load() -> 'Late': ...\nLate = set",
            "UnknownType",
            "load -> set cannot",
            7,
        ),
        ("@agent\ndef main(run, x: 'Nowhere'): ...", "UnknownType", "name 'Nowhere' is not defined", 5),
        ("@agent(name='a')\ndef b(run): ...\n@agent\ndef a(run): ...", "DuplicateAgent", "'a' is declared twice", 7),
        ("@agent(timeout='soon')\ndef main(run): ...", "ValueError", "'soon' is no duration", 5),
        (
            "@agent(timeout='banana')\ndef main(run): ...",
            "ValueError",
            "agent main: timeout: 'banana' is no duration",
            5,
        ),
        ("@agent(timeout='5300w')\ndef main(run): ...", "ValueError", "0 and 100 years (36,600 days), not '5300w'", 5),
        ("@agent(timeout=0)\ndef main(run): ...", "ValueError", "agent main needs a timeout of more than zero", 5),
        ("class Desk:\n    @agent\n    def main(self, run): ...", "TypeError", "agent Desk.main is a method", 6),
        ("class Desk:\n    @agent\n    def main(cls, run): ...", "TypeError", "agent Desk.main is a method", 6),
        ("@agent\ndef main(*args): ...", "TypeError", "needs a first parameter", 5),
        (
            "@step(on_deny='explode')\ndef main(): ...",
            "ValueError",
            "on_deny is one of cancel, fail, raise, not 'explode'",
            5,
        ),
        ("@step(timeout='banana')\ndef main(): ...", "ValueError", "'banana' is no duration", 5),
        ("@step(name='')\ndef main(run): ...", "ValueError", "printable", 5),
    ],
)
def test_agents_that_cannot_be_served_are_broken_with_a_sentence_and_a_line(
    tmp_path: Path, source: str, kind: str, says: str, line: int | None
) -> None:
    (tmp_path / "helper.py").write_text("raise ValueError('in helper')\n")
    with Host(agents_file(tmp_path, source)) as host:
        broken = host.hello()
        assert host.exit_code() == 3
    assert broken["frame"] == "broken"
    assert broken["error"]["type"] == kind
    assert says in broken["error"]["message"]
    file = "helper.py" if "helper" in source else "my_agents.py"
    assert broken["where"] == str(tmp_path / file) + ("" if line is None else f":{line}")


PATCHES = """
import types
def patches(module, asks, patched):
    sys.modules[module.partition(".")[0]] = types.ModuleType(module.partition(".")[0])
    sys.modules[module] = types.ModuleType(module)
    setattr(sys.modules[module], asks, lambda name: name in patched)

@agent
def main(run: Run): ...
"""


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            "patches('gevent.monkey', 'is_module_patched', ['threading', 'socket'])",
            "gevent has patched threading, socket",
        ),
        ("patches('eventlet.patcher', 'is_monkey_patched', ['thread'])", "eventlet has patched thread"),
    ],
)
def test_agents_that_replace_python_s_threads_are_refused_with_a_sentence(tmp_path: Path, call: str, says: str) -> None:
    with Host(agents_file(tmp_path, PATCHES + call)) as host:
        broken = host.hello()
        assert host.exit_code() == 3
    assert says in broken["error"]["message"]
    assert "in a process that a step starts" in broken["error"]["message"]


def test_libraries_that_patch_nothing_the_host_needs_are_welcome(tmp_path: Path) -> None:
    with Host(agents_file(tmp_path, PATCHES + "patches('gevent.monkey', 'is_module_patched', ['dns'])")) as host:
        assert host.hello()["frame"] == "hello"


def test_inputs_without_a_parameter_are_taken_by_name(tmp_path: Path) -> None:
    with Host(agents_file(tmp_path, "@agent\ndef main(run, a=1, **rest: int): return [a, rest]")) as host:
        host.hello()
        assert host.result(Run("main", {"b": 2})) == [1, {"b": 2}]


def test_agents_never_see_the_arguments_of_their_host(tmp_path: Path) -> None:
    source = """
    import argparse
    argparse.ArgumentParser().parse_args()

    @agent
    def main(run: Run): return [sys.argv, sys.orig_argv]
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(Run("main")) == [["taxiway-agents"], ["taxiway-agents"]]


def test_names_that_cannot_be_imported_are_broken_with_a_sentence(tmp_path: Path) -> None:
    for name, says in [
        ("json.py", "has the name of a module that Python itself uses"),
        ("queue.py", "has the name of a module that Python itself uses"),
        ("my-agents.py", "rename it to letters"),
    ]:
        with Host(agents_file(tmp_path, "@agent\ndef main(run): ...", name)) as host:
            assert says in host.hello()["error"]["message"]
    with Host(tmp_path / "missing.py") as host:
        assert "there is no file" in host.hello()["error"]["message"]
    with Host("no.such_module", cwd=tmp_path) as host:
        assert host.hello()["error"]["type"] == "ModuleNotFoundError"


def test_an_agents_file_is_read_anew_by_each_host(tmp_path: Path) -> None:
    for answer in (1, 2, 3):  # within one second and of one size: bytecode caches cannot distinguish them
        with Host(agents_file(tmp_path, f"@agent\ndef main(run): return {answer}")) as host:
            host.hello()
            assert host.result(Run("main")) == answer


def test_annotations_that_only_type_checkers_see_are_no_obstacle(tmp_path: Path) -> None:
    source = """
    from typing import TYPE_CHECKING
    if TYPE_CHECKING:
        from nowhere import Thing

    def work() -> "Thing":
        return {"a": 1}

    @agent
    def main(run: "Thing", n: "int" = 1):
        return run.step(work)
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(Run("main")) == {"a": 1}


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the interpreter of an environment that has only the SDK, without its dependencies."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home, symlinks=True, with_pip=False)
    python = home / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    (Path(packages) / "taxiway").symlink_to(SDK / "taxiway")
    return str(python)


def test_an_environment_with_nothing_but_the_sdk_hosts_agents(tmp_path: Path, bare_python: str) -> None:
    source = """
    @agent
    def main(run: Run):
        foreign = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
        return [sorted(foreign), "asyncio" in sys.modules, sys.prefix]

    import importlib.util
    assert importlib.util.find_spec("httpx") is None
    """
    source = source.replace("AsyncRun, ", "")
    agents = agents_file(tmp_path, source)
    agents.write_text(agents.read_text().replace("import asyncio, ", "import ").replace("AsyncRun, ", ""))
    with Host(agents, python=bare_python) as host:
        host.hello()
        foreign, has_asyncio, prefix = host.result(Run("main"))
    assert foreign == ["__main__", "my_agents", "taxiway"]
    assert not has_asyncio
    assert prefix != sys.prefix


def test_hosting_imports_no_client_even_where_one_is_installed(tmp_path: Path) -> None:
    source = """
    @agent
    async def main(run: AsyncRun):
        return [name for name in ("httpx", "typer", "rich", "taxiway.client", "pydantic") if name in sys.modules]
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(Run("main")) == []


def test_pydantic_models_are_inputs_and_values_where_they_are_installed(tmp_path: Path) -> None:
    source = """
    from pydantic import BaseModel

    class Line(BaseModel):
        sku: str
        count: int = 1

    class Order(BaseModel):
        id: str
        lines: list[Line]

    def fetch(order: Order) -> Order:
        return order.model_copy(update={"id": "B8"})

    @agent
    def main(run: Run, order: Order, extra: Line | None = None):
        new = run.step(fetch, order)
        return [type(new).__name__, type(new.lines[0]).__name__, new, run.step(fetch, order) == new]
    """
    pytest.importorskip("pydantic")
    run = Run("main", {"order": {"id": "A7", "lines": [{"sku": "x"}]}})
    with Host(agents_file(tmp_path, source)) as host:
        schema = host.hello()["agents"][0]["schema"]
        expected = ["Order", "Line", {"id": "B8", "lines": [{"sku": "x", "count": 1}]}, True]
        assert host.result(run) == expected
        host.next()
        assert host.result(run) == expected
        host.next()
        end = host.carry(Run("main", {"order": {"id": "A7", "lines": [{}]}}))
        assert end["error"]["code"] == "invalid_input"
    check = pytest.importorskip("jsonschema").Draft202012Validator(schema)
    assert check.is_valid({"order": {"id": "A7", "lines": [{"sku": "x"}]}, "extra": None})
    assert not check.is_valid({"order": {"id": "A7", "lines": [{}]}})


@pytest.mark.parametrize("name", ["as_completed", "in_any_order"])
def test_a_module_that_takes_as_completed_out_of_asyncio_gets_the_one_that_keeps_order(
    tmp_path: Path, name: str
) -> None:
    source = f"""
    from asyncio import as_completed as {name}

    @agent
    async def main(run: AsyncRun):
        began = []

        async def one(n):
            began.append(n)

        for end in {name}([one(n) for n in range(50)]):
            await end
        return began
    """
    with Host(agents_file(tmp_path, source)) as host:
        host.hello()
        assert host.result(Run("main")) == list(range(50))
