"""`python -m ops up|demo|servers`: the commands behind the Makefile."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from ops.console import complain, say
from ops.demo import demo
from ops.embedded import EmbeddedError
from ops.stack import Halt, StackError, StackOptions
from ops.stack.fleet import ROOT
from ops.stack.servers import Servers
from ops.up import up


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ops", description="Runs Taxiway on this machine.")
    parser.add_argument("--base", type=Path, help="folder of data, logs and up.env (default: .taxiway)")
    commands = parser.add_subparsers(dest="command", required=True)
    up_parser = commands.add_parser("up", help="start everything and stay up until Ctrl-C")
    up_parser.add_argument("--verbose", action="store_true", help="show all log lines, not only warnings")
    commands.add_parser("demo", help="run the sample agent through everything once")
    commands.add_parser("servers", help="start PostgreSQL and Valkey alone, until Ctrl-C")
    arguments = parser.parse_args()
    base = (arguments.base or ROOT / ".taxiway").absolute()
    os.chdir(ROOT)
    try:
        options = replace(StackOptions.from_environment(), base=base)
        return COMMANDS[arguments.command](options, arguments)
    except (StackError, EmbeddedError) as error:
        complain(str(error))
        return 1


def run_up(options: StackOptions, arguments: argparse.Namespace) -> int:
    return up(options, verbose=arguments.verbose)


def run_demo(options: StackOptions, _: argparse.Namespace) -> int:
    return demo(options)


def run_servers(options: StackOptions, _: argparse.Namespace) -> int:
    halt = Halt()
    halt.listen()
    servers = Servers(options)
    try:
        servers.start()
        say(f"TAXIWAY_DATABASE_URL={servers.database_url}\nTAXIWAY_REDIS_URL={servers.redis_url}")
        halt.asked.wait()
    finally:
        servers.stop()
    return 0


COMMANDS = {"up": run_up, "demo": run_demo, "servers": run_servers}

if __name__ == "__main__":
    sys.exit(main())
