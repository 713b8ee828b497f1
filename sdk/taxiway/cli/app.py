"""The `taxiway` command line: its commands, its version, and the conversion of errors into sentences."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from taxiway.cli import (
    agents,
    bulk,
    control,
    enqueue,
    exits,
    explain,
    fleet,
    people,
    providers,
    queues,
    retry,
    runs,
    schedules,
    watch,
    windows,
)
from taxiway.cli.output import Output
from taxiway.client import TaxiwayError
from taxiway.client.wire import sdk_version


class Shell(TyperGroup):
    """Runs a command; an error of the client ends it with a sentence on stderr and its exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except TaxiwayError as error:
            output = Output(as_json="--json" in self._arguments)
            output.note(exits.sentence(error))
            if output.as_json:
                output.document(exits.document(error))
            raise typer.Exit(exits.of_error(error)) from error

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the arguments: an error may come before the command has parsed `--json`."""
        self._arguments = list(args)
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Shell,
    name="taxiway",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would print keys and inputs.
    pretty_exceptions_show_locals=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"taxiway {sdk_version()}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Enqueue, follow and manage agent runs on a Taxiway server.

    Exit codes: 0 done, 1 the run failed, 2 wrong usage, 3 server not reachable, 4 the run was canceled.
    """


app.command()(enqueue.enqueue)
app.command()(runs.runs)
app.command()(runs.show)
app.command()(explain.explain)
app.command()(runs.steps)
app.command()(watch.watch)
app.command()(runs.logs)
app.command()(control.cancel)
app.command()(control.pause)
app.command()(control.resume)
app.command()(retry.retry)
app.command()(control.signal)
app.command()(bulk.bulk)
app.command()(people.approvals)
app.command()(people.approve)
app.command()(people.deny)
app.command()(people.answer)
app.command()(fleet.workers)
app.command()(fleet.capacity)
app.add_typer(agents.app, name="agents")
app.add_typer(windows.app, name="windows")
app.add_typer(queues.app, name="queues")
app.add_typer(schedules.app, name="schedules")
app.add_typer(providers.app, name="providers")


def main() -> None:
    """Run the command line of this process."""
    app()
