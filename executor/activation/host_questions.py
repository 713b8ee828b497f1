"""Answers to a host's questions that record no item: the token of a grant, and a large recorded value."""

from collections.abc import Callable
from typing import Protocol

from taxiway.envelope import seal
from taxiway.frames import Frame, Kind

from executor.activation import replay
from executor.activation.frame_fields import bounded_text, holder, scopes
from executor.activation.grant_requests import Asked, Authorizations, Granted
from executor.activation.reading import Reading
from executor.activation.unanswered import Unanswered
from executor.errors import HostGone
from executor.hosts import Host
from models.runs.recording import Fence


class QuestionServices(Reading, Protocol):
    """Services of the worker that answers use."""

    authorizations: Authorizations

    def soon(self, job: Callable[[], None]) -> None: ...


class Questions:
    """The questions of one activation; each counts as unanswered until its answer is sent. Used by the slot's thread only."""

    def __init__(
        self,
        worker: QuestionServices,
        host: Host,
        fence: Fence,
        tenant: str,
        *,
        activation: str,
        unanswered: Unanswered,
        send: Callable[[Frame], None],
    ) -> None:
        self._worker, self._host, self._fence, self._tenant = worker, host, fence, tenant
        self._activation, self._unanswered, self._send = activation, unanswered, send

    def take(self, frame: Frame) -> None:
        """Handle a `grant` or a `recall` frame; raise HostGone for a value that was never recorded."""
        if frame["frame"] == Kind.GRANT:
            self._grant(frame)
        else:
            self._recall(bounded_text(frame, "key"))

    def _grant(self, frame: Frame) -> None:
        """Ask the grant threads for a token; the answer seals it for this host."""
        ask, version = int(frame["ask"]), frame.get("version")
        about = Asked(
            bounded_text(frame, "want"),
            holder(frame, self._tenant),
            scopes(frame),
            None if version is None else int(version),
        )

        def answer(granted: Granted) -> None:
            self._unanswered.remove()
            place = f"{self._activation}/{ask}"
            sealed = None if granted.token is None else seal(self._host.key, granted.token, place)
            fields = {"usable": granted.usable, "lost": granted.lost, "version": granted.version, "why": granted.why}
            self._send({"frame": Kind.GRANTED, "ask": ask, "sealed": sealed, **fields})

        self._unanswered.add()
        self._worker.authorizations.ask(about, answer)

    def _recall(self, key: str) -> None:
        values = self._worker.read(replay.recorded_value(self._fence.run, key))
        if not values:
            raise HostGone("the agent host recalled a step that was not recorded")
        self._host.send({"frame": Kind.RECALLED, "activation": self._activation, "key": key, "value": values[0]})

    def soon(self, job: Callable[[], None]) -> None:
        """Answer a question in the outcomes thread."""

        def answered() -> None:
            try:
                job()
            finally:
                self._unanswered.remove()

        self._unanswered.add()
        self._worker.soon(answered)
