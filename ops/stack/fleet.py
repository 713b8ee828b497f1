"""Our processes of a stack: started, found and restarted by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ops.child import Child, Command
from ops.stack import commands
from ops.stack.options import StackOptions

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: every process runs here, because here are the server's packages."""


class Fleet:
    """Children by name: `api`, `scheduler-1`, `worker-1`, `flower`; ended ones stay until they are replaced."""

    def __init__(self, options: StackOptions, env: Mapping[str, str], logs: Path) -> None:
        self.options = options
        self.env = env
        self.logs = logs
        self.children: dict[str, Child] = {}

    def of_kind(self, kind: str) -> list[Child]:
        """Return the children of a kind: `api`, `scheduler`, `worker` or `flower`."""
        return [child for name, child in self.children.items() if name.partition("-")[0] == kind]

    def command(self, name: str, argv: list[str], env: Mapping[str, str] | None = None) -> Command:
        """Return a command with the environment of the stack and `env`, and with its own log."""
        return Command(name, argv, self.logs / f"{name}.log", env={**self.env, **(env or {})}, cwd=ROOT)

    def launch(self, command: Command) -> Child:
        """Start a process; it replaces an ended one of the same name."""
        self.children[command.name] = Child(command)
        return self.children[command.name]

    def start_api(self, port: int) -> Child:
        return self.launch(self.command("api", commands.api(port)))

    def start_scheduler(self, number: int) -> Child:
        return self.launch(self.command(f"scheduler-{number}", commands.scheduler()))

    def start_worker(
        self, number: int, *, queue: str = "", slots: int = 0, env: Mapping[str, str] | None = None
    ) -> Child:
        """Start a worker; queue and slots default to the options."""
        argv = commands.worker(queue or self.options.queue, number, slots or self.options.slots)
        return self.launch(self.command(f"worker-{number}", argv, env))

    def start_flower(self) -> Child:
        return self.launch(self.command("flower", commands.flower()))
