"""`make up`: runs everything until Ctrl-C, and restarts ended processes."""

from __future__ import annotations

import time

from ops.console import LogFollower, complain, near, say
from ops.embedded import EmbeddedError
from ops.example import Example, example_of
from ops.stack import Halt, Halted, Stack, StackError, StackOptions, http
from ops.stack.environment import with_password
from ops.stack.supervision import Supervisor
from ops.stack.upfile import NAME

LOOK_EVERY = 0.2
SAMPLE = "license_audit"
"""An agent without input, shown as an example if it is served."""


def up(options: StackOptions, *, verbose: bool) -> int:
    """Return the exit code: 0 after Ctrl-C, 1 if the stack could not start."""
    halt = Halt()
    halt.listen()
    stack = Stack(options, halt)
    follower = LogFollower(stack.logs, verbose=verbose)
    say("Starting Taxiway …")
    began = time.monotonic()
    try:
        stack.start()
    except Halted:
        say("Stopped.")
        return 0
    except (StackError, EmbeddedError) as error:
        complain(str(error))
        return 1
    try:
        greet(stack, time.monotonic() - began)
        follower.skip()
        supervisor = Supervisor(stack, lambda text: say(text, "yellow"))
        while not halt.asked.wait(LOOK_EVERY):
            supervisor.step()
            follower.step()
        say("\nStopping (Ctrl-C again stops immediately) …")
    finally:
        stack.stop()
    say(f"Stopped. The data is kept in {near(stack.options.base)}.")
    return 0


def greet(stack: Stack, seconds: float) -> None:
    """Print all addresses, and commands to try."""
    options, url = stack.options, stack.url
    agents = http.served(url, stack.api_key)
    each = f"{options.workers} workers with {options.slots} slots each"
    say(f"Taxiway is up after {seconds:.1f} s: {each} serve queue {options.queue}.\n", "bold green")
    say(f"  API      {url}    documentation: {url}/docs")
    say(f"  Flower   {with_password(stack.flower_url, stack.flower_auth)}")
    say(f"  API key  {stack.api_key}")
    names = ", ".join(str(agent["name"]) for agent in agents)
    say(f"  Agents   {names} (from {options.agents}; workers are replaced when these files change)")
    say(f"  Logs     {near(stack.logs)}")
    say("\nTry it in another terminal:\n")
    say(examples(near(options.base / NAME), example_of(agents, SAMPLE)))
    say("\nCtrl-C stops everything.")


def examples(upfile: str, example: Example) -> str:
    """Return commands that work after the file is sourced."""
    curl = 'curl -H "x-api-key: $TAXIWAY_API_KEY"'
    missing = "" if example.known else f"\n  ({example.agent} needs an input; GET /v1/agents shows its schema)"
    return (
        f"  source {upfile}\n"
        f"  {curl} $TAXIWAY_URL/v1/agents\n"
        f"  {curl} -H 'content-type: application/json' -d {example.body()} $TAXIWAY_URL/v1/runs\n"
        f"  {curl} -N $TAXIWAY_URL/v1/runs/RUN_ID/sse\n"
        f"  .venv/bin/taxiway enqueue {example.words()} --watch{missing}"
    )
