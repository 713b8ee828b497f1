"""Import of the modules that declare agents; an error is one sentence with its place."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any, Final

from taxiway.agents import DECLARED, Agent
from taxiway.errors import UnknownType
from taxiway.forks import ChildEndsHere
from taxiway.host.monkey_patches import patched
from taxiway.steps import DECLARED_STEPS, check_declared
from taxiway.storable_text import message_of

DIGEST_LENGTH: Final = 16
_VARIABLES: Final = (
    "set it for the worker, and list it in TAXIWAY_AGENT_ENV if that is set or its name begins with PG, PYTHON, CELERY_, "
    "FLOWER_ or TAXIWAY_: agents see no other variables"
)


class Broken(Exception):
    """The agents cannot be served; `kind` is the name of the error, and `where` its file and line."""

    def __init__(self, kind: str, message: str, where: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.where = where


@dataclass(frozen=True)
class Served:
    """An agent with the facts that the worker receives about it."""

    agent: Agent
    schema: dict[str, Any]
    digest: str

    def as_frame(self) -> dict[str, Any]:
        """Return the agent as a `hello` frame lists it."""
        return {
            "name": self.agent.name,
            "queue": self.agent.queue,
            "timeoutMs": self.agent.timeout_ms,
            "schema": self.schema,
            "digest": self.digest,
            "isAsync": self.agent.is_async,
            "description": self.agent.description,
        }


class _Fresh(SourceFileLoader):
    """Loads a file as it is now: cached bytecode would hide a change within one second of the last import."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def load(specs: list[str]) -> dict[str, Served]:
    """Import `specs` (paths of .py files, or modules) and return the agents that they declare, by name.

    The folders of the files (the current folder for modules) come first on the path, in this order. Raises Broken.
    """
    if not specs:
        raise Broken("NoAgents", "no agents are named: set TAXIWAY_AGENTS to ./my_agents.py or package.module", "")
    folders = [str(Path(spec).resolve().parent) if _is_file(spec) else str(Path.cwd()) for spec in specs]
    sys.path[:0] = dict.fromkeys(folders)
    for spec in specs:
        _import(spec)
        if (sentence := patched()) is not None:
            raise Broken("ImportError", f"{spec} cannot be served: {sentence}", spec)
    if "asyncio" in sys.modules:  # `def` agents may not need it
        importlib.import_module("taxiway.host.ordered_completion").replace_copies()
    if not DECLARED:
        raise Broken("NoAgents", "no function there is declared with @taxiway.agent", ", ".join(specs))
    served: dict[str, Served] = {}
    for agent in DECLARED:
        if agent.name in served:
            other = served[agent.name].agent.place
            raise Broken("DuplicateAgent", f"agent {agent.name!r} is declared twice, also at {other}", agent.place)
        served[agent.name] = _serve(agent)
    if any(agent.is_async for agent in DECLARED):
        importlib.import_module("taxiway.host.async_player")  # now, before the first run
    _check_steps()
    return served


def _check_steps() -> None:
    for function in list(DECLARED_STEPS):
        try:
            check_declared(function)
        except UnknownType as error:
            code = inspect.unwrap(function).__code__
            raise Broken(
                "UnknownType", f"step {message_of(error)}", f"{code.co_filename}:{code.co_firstlineno}"
            ) from error


def _serve(agent: Agent) -> Served:
    try:
        schema = agent.schema()
        agent.result  # noqa: B018 - read now, so that a wrong annotation does not fail a run later
    except Exception as error:
        raise Broken(type(error).__name__, f"agent {agent.name!r}: {message_of(error)}", agent.place) from error
    return Served(agent, schema, _digest(agent))


def _digest(agent: Agent) -> str:
    try:
        source = Path(inspect.unwrap(agent.function).__code__.co_filename).read_bytes()
    except OSError:  # in a zip file, or generated: its bytecode is used instead
        source = inspect.unwrap(agent.function).__code__.co_code
    return hashlib.sha256(source).hexdigest()[:DIGEST_LENGTH]


def _is_file(spec: str) -> bool:
    return spec.endswith(".py") or os.sep in spec


def _import(spec: str) -> None:
    try:
        with ChildEndsHere():
            _import_file(Path(spec).resolve()) if _is_file(spec) else importlib.import_module(spec)
    except Broken:
        raise
    except BaseException as error:
        raise Broken(type(error).__name__, _sentence(spec, error), _place(spec, error)) from error


def _import_file(path: Path) -> None:
    name = path.stem
    if not path.is_file():
        raise Broken("FileNotFoundError", f"there is no file {path}", str(path))
    if not name.isidentifier():
        raise Broken("ImportError", f"{path.name} cannot be imported: rename it to letters, digits and _", str(path))
    if name in sys.modules or name in sys.stdlib_module_names:
        raise Broken(
            "ImportError", f"{path.name} has the name of a module that Python itself uses: rename it", str(path)
        )
    found = importlib.util.spec_from_file_location(name, path, loader=_Fresh(name, str(path)))
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)


def _sentence(spec: str, error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"{spec} called sys.exit({error.code!r}) while it was imported; a host has no arguments to parse"
    if isinstance(error, SyntaxError):
        return f"{spec} cannot be imported: SyntaxError: {error.msg}"
    if _is_missing_variable(error):
        return f"{spec} cannot be imported: the variable {error.args[0]} is not set; {_VARIABLES}"
    return f"{spec} cannot be imported: {type(error).__name__}: {message_of(error)}"


def _is_missing_variable(error: BaseException) -> bool:
    """Return whether `os.environ` raised the KeyError."""
    raised = traceback.extract_tb(error.__traceback__)[-1:]
    return isinstance(error, KeyError) and bool(raised) and raised[0].filename in (os.__file__, "<frozen os>")


def _place(spec: str, error: BaseException) -> str:
    """Return the file and line of the innermost frame in the user's own code."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    foreign = [(file, line) for file, line in frames if file != __file__ and not file.startswith("<frozen")]
    own = [
        (file, line) for file, line in foreign if file.startswith(sys.path[0] + os.sep) and "site-packages" not in file
    ]
    file, line = (own or foreign or [(spec, None)])[-1]
    return f"{file}:{line}" if line else file
