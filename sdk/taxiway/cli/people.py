"""Commands for approvers: `approvals`, `approve`, `deny`, `answer`."""

from typing import Annotated, Any

import typer

from taxiway.cli import inputs, options
from taxiway.cli.output import Output, local_time
from taxiway.client import ApprovalView

Target = Annotated[str, typer.Argument(metavar="RUN_OR_WAIT", help="The id of the run that asks, or of its wait.")]
Comment = Annotated[str | None, typer.Option("--comment", help="For the agent and for people.", show_default=False)]
_DONE = {"approved": "Approved", "denied": "Denied", "answered": "Answered"}


def approvals(
    *,
    decided: Annotated[bool, typer.Option("--decided", help="List decided questions instead of open ones.")] = False,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Only questions of this run.", show_default=False)
    ] = None,
    limit: options.Limit = 20,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """List the questions of runs to people, newest first."""
    output = Output(as_json)
    with options.connect(url, api_key) as client:
        found = list(client.approvals("decided" if decided else "open", run_id=run, limit=limit))
    if as_json:
        output.document({"approvals": [dict(question.raw) for question in found]})
    elif not found:
        output.note("Nothing has been decided yet." if decided else "No run asks a question at the moment.")
    elif decided:
        output.table(("wait", "agent", "asked", "outcome", "by", "at"), map(_decided_row, found))
    else:
        output.table(("wait", "agent", "asks", "opened", "expires", "link"), map(_open_row, found))
        output.note("Decide with: taxiway approve WAIT | deny WAIT | answer WAIT VALUE")


def approve(
    target: Target,
    *,
    choice: Annotated[
        str | None, typer.Option("--choice", help="One of the question's choices.", show_default=False)
    ] = None,
    comment: Comment = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Approve the question of a run."""
    with options.connect(url, api_key) as client:
        _say(as_json, client.approve(target, choice=choice, comment=comment))


def deny(
    target: Target,
    *,
    comment: Comment = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Deny the question of a run."""
    with options.connect(url, api_key) as client:
        _say(as_json, client.deny(target, comment=comment))


def answer(
    target: Target,
    value: Annotated[
        str | None,
        typer.Argument(help="JSON or plain text; @file, or @- for stdin.", show_default=False),
    ] = None,
    *,
    pairs: Annotated[
        list[str] | None, typer.Option("-i", metavar="KEY=VALUE", help="One member of an object as answer.")
    ] = None,
    comment: Comment = None,
    url: options.Url = None,
    api_key: options.ApiKey = None,
    as_json: options.AsJson = False,
) -> None:
    """Answer the question of a run."""
    given = _answer(value, pairs)
    with options.connect(url, api_key) as client:
        _say(as_json, client.answer(target, given, comment=comment))


def _answer(value: str | None, pairs: list[str] | None) -> Any:
    if (value is None) == (not pairs):
        raise typer.BadParameter("pass the answer as one VALUE, or as members with -i key=value", param_hint="VALUE")
    if pairs:
        return inputs.read_input(None, pairs)
    assert value is not None
    return inputs.value(inputs.text(value, "VALUE"))


def _say(as_json: bool, seen: ApprovalView) -> None:
    done = _DONE.get(seen.outcome.outcome if seen.outcome else "", "Decided")
    Output(as_json).say(seen.raw, f"{done}: {seen.prompt} Run {seen.run_id} is {seen.run_status}.")


def _open_row(question: ApprovalView) -> tuple[object, ...]:
    opened = local_time(question.opened_at)
    expires = local_time(question.expires_at) if question.expires_at else "no end"
    return (question.id, question.agent, question.prompt, opened, expires, question.url)


def _decided_row(question: ApprovalView) -> tuple[object, ...]:
    outcome = question.outcome
    if outcome is None:
        return (question.id, question.agent, question.prompt)
    said = f"{outcome.outcome}: {outcome.choice}" if outcome.choice else outcome.outcome
    return (question.id, question.agent, question.prompt, said, outcome.by, local_time(outcome.at))
