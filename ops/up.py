"""`make up`: everything runs until Ctrl-C; what ends is started again."""

from __future__ import annotations

import time

from ops.console import LogFollower, complain, say
from ops.embedded import EmbeddedError
from ops.stack import Halt, Halted, Stack, StackError, StackOptions
from ops.stack.environment import with_password
from ops.stack.supervision import Supervisor
from ops.stack.upfile import NAME

LOOK_EVERY = 0.2


def up(options: StackOptions, *, verbose: bool) -> int:
    """Return the exit code: 0 after Ctrl-C, 1 when the stack could not be had."""
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
        say("\nStopping (Ctrl-C again: at once) …")
    finally:
        stack.stop()
    say(f"Stopped. The data stays in {stack.options.base}.")
    return 0


def greet(stack: Stack, seconds: float) -> None:
    """Say where everything is and what to try."""
    options = stack.options
    say(
        f"Taxiway is up after {seconds:.1f} s: {options.workers} workers with {options.slots} slots each serve "
        f"queue {options.queue}.\n",
        "bold green",
    )
    say(f"  API        {stack.url}       documentation {stack.url}/docs")
    say(f"  Flower     {with_password(stack.flower_url, stack.flower_auth)}")
    say(f"  API key    {stack.api_key}")
    say(f"  Agents     {options.agents}")
    say(f"  Logs       {stack.logs}")
    say("\nTry it in another terminal:\n")
    say(f"  source {options.base / NAME}")
    say('  curl -H "x-api-key: $TAXIWAY_API_KEY" $TAXIWAY_URL/v1/agents')
    say(
        "  curl -H \"x-api-key: $TAXIWAY_API_KEY\" -H 'content-type: application/json' \\\n"
        '       -d \'{"agent": "license_audit"}\' $TAXIWAY_URL/v1/runs'
    )
    say('  curl -N -H "x-api-key: $TAXIWAY_API_KEY" $TAXIWAY_URL/v1/runs/RUN_ID/sse')
    say("  .venv/bin/taxiway enqueue license_audit --watch")
    say("\nCtrl-C stops everything.")
