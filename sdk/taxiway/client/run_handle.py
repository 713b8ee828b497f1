"""What can be done with one run, blocking: read it, follow it, wait for its result, change what becomes of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic
from uuid import UUID

from taxiway.agent_references import R_co
from taxiway.client import calls, explaining, pages, waiting, wire
from taxiway.client.backoff import Backoff
from taxiway.client.calls import Accepted, Call
from taxiway.client.explaining import Explanation
from taxiway.client.follow import Follow
from taxiway.client.people import ApprovalView
from taxiway.client.views import Event, LogLine, RunView, StepView
from taxiway.durations import Duration
from taxiway.errors import TaxiwayError
from taxiway.shapes import Shape

if TYPE_CHECKING:
    from taxiway.client.sync import Client


class RunHandle(Generic[R_co]):
    """One run, by its id; its result is an R_co. `accepted` is set on handles that enqueue() returned."""

    def __init__(
        self, client: Client, run_id: str, accepted: Accepted | None = None, shape: Shape | None = None
    ) -> None:
        self.id = run_id
        self.accepted = accepted
        self._client = client
        self._shape = shape

    def __repr__(self) -> str:
        return f"RunHandle({self.id!r})"

    def get(self, *, outputs: bool = False) -> RunView:
        """Fetch the run as it stands, with its newest 200 steps (`outputs`: and what they returned)."""
        return self._client.send(calls.run(self.id, outputs=outputs))

    def explain(self) -> Explanation:
        """Say why the run is not executing: all that holds it now, in the order in which to remove it."""
        return self._client.send(explaining.explain(self.id))

    def steps(self, *, outputs: bool = False) -> Iterator[StepView]:
        """Iterate over all steps."""
        return self._client._walk(pages.steps(self.id, outputs=outputs))

    def logs(self) -> Iterator[LogLine]:
        """Iterate over all stored log lines."""
        return self._client._walk(pages.logs(self.id))

    def events(self, *, after: int | None = None, patience: float | None = wire.PATIENCE) -> Iterator[Event]:
        """Follow the run from its first event (or the one after `after`) until `end`.

        Reconnects by itself and repeats no event. Gives up with NotReachable or Unavailable once the server was away
        for `patience` seconds in a row (None: never).
        """
        follow = Follow(self.id, after, Backoff(patience))
        while not follow.over:
            try:
                yield from _connected(self._client, follow)
                pause = 0.0 if follow.over else follow.closed()
            except TaxiwayError as error:
                pause = follow.lost(error)
            time.sleep(pause)

    def result(self, timeout: float | None = None, *, patience: float | None = wire.PATIENCE) -> R_co:
        """Wait until the run has ended and return its result.

        It is a value of JSON, or of the type that the agent returns where the run was enqueued by its function. Raises
        RunFailed, RunCanceled, or NotFinished (a TimeoutError) after `timeout` seconds; the run goes on then.
        A server that is away is waited for, up to `patience` seconds in a row.
        """
        run = _driven(self._client, waiting.until_finished(self.id, timeout, Backoff(patience)))
        result: R_co = waiting.outcome(run, self._shape)
        return result

    def cancel(self, reason: str | None = None, grace: Duration | None = None) -> RunView:
        """Cancel the run and return it: CANCELED at once unless it is executing, then it ends within `grace`.

        Raises RunFinished where the run had already ended.
        """
        return self._client.send(calls.cancel(self.id, reason, grace))

    def pause(self, reason: str | None = None) -> RunView:
        """Let the run stand still until it is resumed: at once, or from the edge of its next step on.

        Raises RunFinished where the run had already ended.
        """
        return self._client.send(calls.pause(self.id, reason))

    def resume(self) -> RunView:
        """End a pause of a user's or of the agent's own, or one for code that was mended meanwhile."""
        return self._client.send(calls.resume(self.id))

    def retry(
        self,
        *,
        from_step: str | None = None,
        input: Mapping[str, Any] | None = None,  # noqa: A002 - the API's own word
        idempotency_key: str | UUID | None = None,
    ) -> RunHandle[R_co]:
        """Try a run that has ended again, as a new run that is returned.

        It keeps what went well: succeeded steps, failures that the agent caught, decisions of people. `from_step` (key or name)
        keeps what was recorded before that step; with another `input` nothing is kept. Raises Conflict where the run has
        not ended.
        """
        made = self._client.send(calls.retry(self.id, from_step, input, idempotency_key))
        return self._client._handle(made, self._shape)

    def signal(self, name: str, payload: object = None, *, id: str | None = None) -> RunView:  # noqa: A002 - as the API says
        """Send the run a message, kept until its agent waits for one of this name; with the same `id` it counts once.

        Raises RunFinished where the run had already ended.
        """
        return self._client.send(calls.signal(self.id, name, payload, id))

    def approve(self, *, choice: str | None = None, comment: str | None = None) -> ApprovalView:
        """Approve what the run asks; see Client.approve."""
        return self._client.approve(self.id, choice=choice, comment=comment)

    def deny(self, *, comment: str | None = None) -> ApprovalView:
        """Deny what the run asks; see Client.approve."""
        return self._client.deny(self.id, comment=comment)

    def answer(self, answer: Any, *, comment: str | None = None) -> ApprovalView:
        """Answer what the run asks; see Client.approve."""
        return self._client.answer(self.id, answer, comment=comment)


def _connected(client: Client, follow: Follow) -> Iterator[Event]:
    """Yield the events of one connection, to its end."""
    with client._stream(follow.request()) as response:
        for piece in response.iter_bytes():
            yield from follow.feed(piece)
            if follow.over:
                return


def _driven(client: Client, plan: waiting.Plan) -> RunView:
    try:
        move = next(plan)
        while True:
            try:
                answer = _do(client, move)
            except TaxiwayError as error:
                move = plan.throw(error)
            else:
                move = plan.send(answer)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # StopIteration does not know the plan's type


def _do(client: Client, move: Call[RunView] | waiting.Pause) -> RunView | None:
    if isinstance(move, waiting.Pause):
        time.sleep(move.seconds)
        return None
    return client.send(move)
